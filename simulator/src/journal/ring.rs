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

/// Some lines, numbered.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) text: Vec<u8>,
    /// So many, a gap not counted.
    pub(super) found: usize,
    /// The number of the last line that was looked at; `after`, if there is none beyond it.
    pub(super) last: u64,
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

    /// Those lines above `after` that are wanted: at most `most`, of at most `looks` that are looked at.
    pub(super) fn part(
        &self,
        after: u64,
        (most, looks): (usize, usize),
        wanted_line: impl Fn(&[u8]) -> bool,
    ) -> Part {
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
        let (mut last, mut found) = (after, 0);
        for (n, line) in numbered.skip(skip).take(looks) {
            if found == most {
                break;
            }
            last = n;
            if !wanted_line(line) {
                continue;
            }
            found += 1;
            out.extend_from_slice(format!("{{\"n\":{n},").as_bytes());
            out.extend_from_slice(line.get(1..).unwrap_or_default());
            out.push(b'\n');
        }
        Part { text: out, found, last }
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

    fn page(ring: &Ring, after: u64, most: usize) -> Vec<u8> {
        ring.part(after, (most, usize::MAX), |_| true).text
    }

    #[test]
    fn of_what_is_not_wanted_only_the_number_is_kept() {
        let ring = ring(10, 1000, 5);
        let even = |line: &[u8]| line.get(5).is_some_and(|digit| digit % 2 == 0);
        let part = ring.part(0, (2, usize::MAX), even);
        assert_eq!(
            (text(&part.text), part.found, part.last),
            ("{\"n\":1,\"x\":0}\n{\"n\":3,\"x\":2}\n", 2, 3)
        );
        let part = ring.part(3, (2, 1), even);
        assert_eq!((part.found, part.last), (0, 4), "no further than it may look");
        assert_eq!(ring.part(5, (2, 9), even).last, 5);
    }

    #[test]
    fn numbers_start_at_one_and_a_page_ends_where_it_must() {
        let ring = ring(10, 1000, 3);
        assert_eq!(text(&page(&ring, 1, 1)), "{\"n\":2,\"x\":1}\n");
        assert_eq!(text(&page(&ring, 3, 10)), "");
        assert_eq!(text(&page(&ring, u64::MAX, 10)), "");
    }

    #[test]
    fn a_late_reader_is_told_what_it_missed() {
        let ring = ring(2, 1000, 5);
        let page = page(&ring, 1, 10);
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
