//! Completions for shells, and manual pages: made from the commands themselves.

use std::path::Path;
use std::process::ExitCode;

use super::cli::Ended;
use super::trouble::{Kind, Trouble};

pub(super) fn completions(shell: clap_complete::Shell, mut whole: clap::Command) -> Ended {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut whole, "rolegate", &mut text);
    super::voice::print(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(folder: Option<&Path>, mut whole: clap::Command) -> Ended {
    let Some(folder) = folder else {
        let mut text = Vec::new();
        let rendered = clap_mangen::Man::new(whole).render(&mut text);
        rendered.map_err(|error| Trouble::yours(Kind::Other, format!("The manual page cannot be made: {error}."), "use --folder"))?;
        super::voice::print(String::from_utf8_lossy(&text).trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    whole.build();
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(whole, folder))
        .map_err(|error| Trouble::file("written", folder, &error))?;
    Ok(ExitCode::SUCCESS)
}
