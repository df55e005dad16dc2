//! What is asked for, before it is checked.

use d1_fixtures::KeyKind;
use zeroize::Zeroizing;

use crate::config::{ConfigError, Notifications, ReceiverConfig, authority, https_url};
use crate::domain::GatewayId;
use crate::notify::OauthSettings;

/// A gateway to be made.
pub(crate) struct Order {
    /// The next free one if there is none.
    pub(crate) id: Option<GatewayId>,
    pub(crate) key: KeyKind,
    /// Another one that was made, whose cards it shares.
    pub(crate) cards_of: Option<GatewayId>,
    /// Without one it is not notified.
    pub(crate) receiver: Option<Receiver>,
}

/// Where its notifications go.
pub(crate) struct Receiver {
    pub(crate) url: String,
    /// PEM; `ca/receiver-ca.pem` of the sandbox if there is none.
    pub(crate) authority: Option<String>,
    pub(crate) oauth: Option<Oauth>,
    /// What is left out is as in the sandbox's configuration.
    pub(crate) retry: Notifications,
}

/// Client credentials for its token endpoint.
pub(crate) struct Oauth {
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Zeroizing<String>,
    pub(crate) scope: Option<String>,
}

impl Receiver {
    pub(super) fn with_authority(self, pem: &str) -> Result<ReceiverConfig, ConfigError> {
        let oauth = self.oauth.map(|oauth| {
            Ok(OauthSettings {
                token_url: https_url("receiver.oauth.tokenUrl", &oauth.token_url)?,
                client_id: oauth.client_id,
                client_secret: oauth.client_secret,
                scope: oauth.scope,
            })
        });
        Ok(ReceiverConfig {
            url: https_url("receiver.url", &self.url)?,
            authority: authority("receiver.authority", pem)?,
            oauth: oauth.transpose()?,
        })
    }
}
