//! `crm completions`: the completion script of a shell.
//!
//! The scripts of bash, zsh and fish ask crm itself ([`super::complete`]). Those of PowerShell and Elvish are lists of
//! commands and flags.

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;

use super::help::examples;
use super::say::print;
use super::session::{Ended, Plain, Session};

pub(super) const COMPLETIONS: Plain = Plain { words, run };

/// Where the script goes, for each shell.
const PLACES: &str = "\
bash, for you (needs the package bash-completion):
  mkdir -p ~/.local/share/bash-completion/completions
  crm completions bash > ~/.local/share/bash-completion/completions/crm
bash, for all users:
  crm completions bash > /usr/share/bash-completion/completions/crm
bash, without that package, in ~/.bashrc:
  source <(crm completions bash)
zsh, for you (the folder must be in fpath before compinit, in ~/.zshrc: fpath=(~/.zfunc $fpath)):
  mkdir -p ~/.zfunc
  crm completions zsh > ~/.zfunc/_crm
zsh, for all users:
  crm completions zsh > /usr/local/share/zsh/site-functions/_crm
fish, for you:
  crm completions fish > ~/.config/fish/completions/crm.fish
powershell, in the file that $PROFILE names:
  crm completions powershell | Out-String | Invoke-Expression
elvish, in ~/.config/elvish/rc.elv:
  eval (crm completions elvish | slurp)";

fn words() -> Command {
    Command::new("completions")
        .about("Print the completion script of a shell")
        .long_about(format!(
            "Print the completion script of a shell. In bash, zsh and fish it completes commands, flags, topics of the \
             manual, names of fields and, from the local database, the words in use, such as the statuses. The script goes \
             here:\n\n{PLACES}"
        ))
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(ValueParser::from(clap::value_parser!(Shell))),
        )
        .after_help(examples(&[
            "crm completions bash > crm.bash",
            "crm completions zsh > _crm",
        ]))
}

fn run(session: &Session<'_>, matches: &ArgMatches) -> Ended {
    let shell = *matches.get_one::<Shell>("shell").unwrap_or(&Shell::Bash);
    let script = match shell {
        Shell::Bash => include_bytes!("completions/crm.bash").to_vec(),
        Shell::Zsh => include_bytes!("completions/crm.zsh").to_vec(),
        Shell::Fish => include_bytes!("completions/crm.fish").to_vec(),
        shell => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut (session.whole)(), "crm", &mut script);
            script
        }
    };
    print(&script)?;
    Ok(0)
}
