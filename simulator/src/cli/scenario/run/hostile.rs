//! A hostile stage: what it sets on a sandbox that runs already, and what of it is left to no chance.

use serde_json::Value;

use super::miss::Broken;
use super::player::Player;
use crate::faults::hostile_profile;

impl Player<'_> {
    /// Sets the faults of the hostile profile for the scenario's own gateways, where somebody else's sandbox has not begun
    /// with them.
    pub(super) async fn set_hostile(&mut self) -> Result<(), Broken> {
        if !self.scenario.stage.hostile || !self.ground.is_attached() {
            return Ok(());
        }
        let profile = hostile_profile().map_err(|fault| Broken(fault.to_string()))?;
        for fault in &profile {
            let Value::Object(fault) = fault.shown() else { continue };
            let name = fault.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let answer = self.ground.set_fault(fault).await?;
            if answer.status != 201 {
                return Err(Broken(format!("the hostile stage cannot be set: {}", answer.told())));
            }
            self.faults.push(name);
        }
        Ok(())
    }

    /// Has our client call over new connections once D1 was to close one, behind these entries. Whether a further call
    /// would still get onto the old one is a matter of real time, and no seed would show it again.
    pub(super) fn leave_doomed(&mut self, behind: usize) -> Result<(), Broken> {
        if !self.scenario.stage.hostile {
            return Ok(());
        }
        let closes = |effect: Option<&str>| matches!(effect, Some("closeIdle" | "goaway"));
        let doomed = self.entries.iter().skip(behind).filter(|entry| {
            entry.is("fault") && entry.text("what") == Some("struck") && closes(entry.text("effect"))
        });
        let gateways: Vec<&str> = doomed.filter_map(|entry| entry.text("gateway")).collect();
        for gateway in self.ground.gateways.values_mut() {
            if gateways.contains(&gateway.id.as_str()) {
                gateway.reconnect().map_err(|failure| Broken(failure.error.to_string()))?;
            }
        }
        Ok(())
    }
}
