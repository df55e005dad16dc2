//! A bounded ring of numbered lines.

use std::collections::VecDeque;

/// Lines without their number, which follows from their place.
#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<Box<[u8]>>,
    first: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

impl Ring {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { lines: VecDeque::new(), first: 1, bytes: 0, max_entries, max_bytes }
    }

    /// Adds a line that starts with `{` and has at least one member.
    pub(super) fn push(&mut self, line: Box<[u8]>) -> u64 {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some(old) = self.lines.pop_front() else { break };
            self.bytes -= old.len();
            self.first += 1;
        }
        self.first + self.lines.len() as u64 - 1
    }

    pub(super) fn page(&self, after: u64, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let wanted = after.saturating_add(1);
        if wanted < self.first {
            let gap = format!(
                "{{\"n\":{to},\"at\":null,\"kind\":\"gap\",\"gateway\":null,\"correlationId\":null,\"from\":{wanted},\"to\":{to}}}\n",
                to = self.first - 1
            );
            out.extend_from_slice(gap.as_bytes());
        }
        let skip = usize::try_from(wanted.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let numbered = (self.first..).zip(&self.lines);
        for (n, line) in numbered.skip(skip).take(most) {
            out.extend_from_slice(format!("{{\"n\":{n},").as_bytes());
            out.extend_from_slice(line.get(1..).unwrap_or_default());
            out.push(b'\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(entries: usize, bytes: usize, lines: usize) -> Ring {
        let mut ring = Ring::new(entries, bytes);
        for n in 0..lines {
            ring.push(format!("{{\"x\":{n}}}").into_bytes().into());
        }
        ring
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("text")
    }

    #[test]
    fn numbers_start_at_one_and_a_page_ends_where_it_must() {
        let ring = ring(10, 1000, 3);
        assert_eq!(text(&ring.page(1, 1)), "{\"n\":2,\"x\":1}\n");
        assert_eq!(text(&ring.page(3, 10)), "");
        assert_eq!(text(&ring.page(u64::MAX, 10)), "");
    }

    #[test]
    fn a_late_reader_is_told_what_it_missed() {
        let ring = ring(2, 1000, 5);
        let page = ring.page(1, 10);
        let lines: Vec<&str> = text(&page).lines().collect();
        assert!(
            lines[0].contains("\"kind\":\"gap\"") && lines[0].contains("\"from\":2,\"to\":3"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "{\"n\":4,\"x\":3}");
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut ring = Ring::new(100, 20);
        assert_eq!(ring.push(vec![b'{'; 15].into()), 1);
        assert_eq!(ring.push(vec![b'{'; 15].into()), 2);
        assert_eq!(ring.lines.len(), 1);
    }
}
