//! On what was measured, for the head of a report.

use std::fs::read_to_string;
use std::process::Command;

/// Processor, threads, memory, kernel and compiler, in one line.
pub fn describe() -> String {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| gibibytes(&text));
    let kernel = read_to_string("/proc/sys/kernel/osrelease").ok();
    let parts = [
        Some(processor),
        Some(format!("{threads} threads")),
        memory,
        kernel.map(|kernel| format!("{} {}", std::env::consts::OS, release(&kernel))),
        Some(compiler()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The compiler's name and version.
pub fn compiler() -> String {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).arg("--version").output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown rustc".to_owned(), |text| text.trim().to_owned())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gibibytes(text: &str) -> Option<String> {
    let kilobytes: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(format!("{} GiB", (kilobytes + (1 << 19)) >> 20))
}

/// The kernel's release without what its builder appended.
fn release(kernel: &str) -> &str {
    kernel.trim().split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded() {
        assert_eq!(gibibytes("24689000 kB").as_deref(), Some("24 GiB"));
        assert_eq!(gibibytes("none"), None);
    }
}
