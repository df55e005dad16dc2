//! The table of commands and options that the README shows, made from the definition itself.

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::CommandFactory as _;

    use crate::cli::args::Cli;

    /// One row a command and one an option.
    fn reference() -> String {
        let mut cli = Cli::command();
        cli.build();
        let mut text = String::from("| command or option | default | what it does |\n|---|---|---|\n");
        let commands: Vec<_> = cli.get_subcommands().cloned().collect();
        for command in commands.iter().filter(|command| command.get_name() != "help") {
            rows(&mut text, "d1sim", command);
        }
        text
    }

    fn rows(text: &mut String, parent: &str, command: &clap::Command) {
        let name = format!("{parent} {}", command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let children: Vec<_> = command.get_subcommands().filter(|child| child.get_name() != "help").collect();
        // An option of a group stands with each of its commands.
        for child in &children {
            rows(text, &name, child);
        }
        if !children.is_empty() {
            return;
        }
        writeln!(text, "| **`{name}`** | | {about} |").expect("a String");
        for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        {
            let value = arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
            let takes = arg.get_action().takes_values();
            let shown = match arg.get_long() {
                Some(long) if takes => format!("--{long} {value}"),
                Some(long) => format!("--{long}"),
                None => value,
            };
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let (help, said) = match help.split_once(" [default: ") {
                Some((help, default)) => (help.to_owned(), default.trim_end_matches(']').to_owned()),
                None => (help, String::new()),
            };
            let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
            let default: String = if takes { defaults.collect::<Vec<_>>().join(" ") + &said } else { said };
            let default = if default.is_empty() { default } else { format!("`{default}`") };
            // A bar would end the cell.
            let shown = shown.replace('|', r"\|");
            writeln!(text, "| `{shown}` | {default} | {help} |").expect("a String");
        }
    }

    #[test]
    fn the_readme_shows_every_command_and_option() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        let readme = std::fs::read_to_string(readme).expect("README.md at the root");
        let wanted = reference();
        let shown = readme.split("<!-- commands -->\n").nth(1).unwrap_or_default();
        let shown = shown.split("<!-- end of commands -->").next().unwrap_or_default();
        assert!(
            shown == wanted,
            "between <!-- commands --> and <!-- end of commands --> README.md must say:\n{wanted}"
        );
    }
}
