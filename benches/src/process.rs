//! What the system says about this process: its memory. Linux only; elsewhere there are no answers.

use std::fs::read_to_string;

/// Bytes of memory that are resident.
pub fn resident_bytes() -> Option<u64> {
    // "VmRSS:     1234 kB"
    let status = read_to_string("/proc/self/status").ok()?;
    field(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let text = "VmHWM:\t  20 kB\nVmRSS:\t  12 kB\n";
        assert_eq!(field(text, "VmRSS:"), Some(12));
        assert_eq!(field(text, "VmSwap:"), None);
    }
}
