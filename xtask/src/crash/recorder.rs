//! The recorder: `powercut.c`, compiled with the C compiler of the machine and preloaded into the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::log::{self, Event};
use crate::run::{During, Failure, Result, is_installed, run as execute};

const SOURCE: &str = include_str!("powercut.c");

/// A compiled recorder.
#[derive(Debug)]
pub(super) struct Recorder {
    library: PathBuf,
}

impl Recorder {
    /// Compiles it into that folder. Needs `cc`.
    pub(super) fn compile(into: &Path) -> Result<Self> {
        if !is_installed("cc") {
            return Err(Failure::new(
                "the recorder of power cuts needs a C compiler: apt-get install -y gcc libc6-dev",
            ));
        }
        let source = into.join("powercut.c");
        let library = into.join("powercut.so");
        std::fs::write(&source, SOURCE).during("writing powercut.c")?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-o"]);
        execute(compiler.args([&library, &source]))?;
        Ok(Self { library })
    }

    /// The environment of a program whose changes below the folder are recorded. Both paths are absolute and free of
    /// links.
    pub(super) fn environment(&self, folder: &Path, recording: &Path) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("STRATA_POWERCUT_DIR", folder.to_owned()),
            ("STRATA_POWERCUT_LOG", recording.to_owned()),
        ]
    }
}

/// Reads a recording.
pub(super) fn events(recording: &Path) -> Result<Vec<Event>> {
    let bytes = std::fs::read(recording).during("reading the recording; was the recorder loaded?")?;
    log::read(&bytes).map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::crash::image::{Before, rebuild};
    use crate::crash::random::Dice;

    const THIS: &str = "crash::recorder::tests::a_program_is_recorded_and_its_disk_rebuilt";

    /// What the recorded program does: this test, run again by itself under the recorder.
    fn act(folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join("new"), b"abc")?;
        let mut file = std::fs::File::options().create_new(true).write(true).open(folder.join("big"))?;
        std::io::Write::write_all(&mut file, &[1; 5000])?;
        file.write_all_at(&[2; 3000], 10_000)?;
        file.sync_data()?;
        println!("done");
        file.write_all_at(&[3; 100], 0)?;
        file.set_len(12_000)?;
        std::fs::rename(folder.join("new"), folder.join("newer"))?;
        std::fs::remove_file(folder.join("old"))
    }

    #[test]
    fn a_program_is_recorded_and_its_disk_rebuilt() {
        if let Some(folder) = std::env::var_os("STRATA_POWERCUT_DIR") {
            return act(Path::new(&folder)).expect("nothing is in its way");
        }
        let scene = tempfile::tempdir().expect("a fresh folder");
        let root = scene.path().canonicalize().expect("it is there");
        let recorder = Recorder::compile(&root).expect("a C compiler, which `ring` needs as well");
        let (folder, recording) = (root.join("db"), root.join("recording"));
        std::fs::create_dir(&folder).expect("a new folder");
        std::fs::write(folder.join("old"), [9; 100]).expect("a new file");
        let before = Before::read(&folder).expect("it can be read");
        let mut again = Command::new(std::env::current_exe().expect("this test"));
        again.args(["--exact", THIS, "--nocapture"]).envs(recorder.environment(&folder, &recording));
        let output = again.output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let events = events(&recording).expect("it was recorded");
        let said = |event: &Event| matches!(event, Event::Output { data } if data.ends_with(b"done\n"));
        let printed = events.iter().position(said).expect("the word was recorded");
        let ended = events.iter().position(|event| matches!(event, Event::SyncEnd { .. }));
        assert!(ended.is_some_and(|ended| ended < printed), "the sync ended before the word was printed");
        let disk =
            |percent| rebuild(&before, &events, &folder.to_string_lossy(), percent, &mut Dice::new(1)).files;
        let synced = [&[1; 5000][..], &[0; 5000], &[2; 3000]].concat();
        let worst = disk(0);
        assert_eq!(worst.get("/big"), Some(&synced), "to the byte, and nothing of what came later");
        assert_eq!(worst.get("/old"), Some(&vec![9; 100]), "its removal was never synced");
        let best = disk(100);
        assert_eq!(best.keys().collect::<Vec<_>>(), ["/big", "/newer"]);
        assert_eq!((best["/big"].len(), best["/big"][99], &best["/newer"][..]), (12_000, 3, &b"abc"[..]));
    }
}
