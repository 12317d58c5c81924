//! The fuzzer's words about a round.

use std::fmt;

/// A round, or several.
#[derive(Debug, Default, PartialEq)]
pub struct Output {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Edges that were covered.
    pub coverage: u64,
    /// The number of the input that was the last to cover something new; 0: none did.
    pub last_new: u64,
    /// The place of an input that broke a promise.
    pub crash: Option<String>,
}

impl Output {
    /// Reads lines such as `#8192 NEW    cov: 34 ft: 36 corp: 3/14b ..`, of which the first with coverage is that of
    /// the corpus.
    pub fn parse(text: &str) -> Self {
        let mut output = Self::default();
        let mut is_loaded = false;
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let number = words.next().and_then(|word| word.strip_prefix('#'));
            let Some(number) = number.and_then(|number| number.parse().ok()) else {
                continue;
            };
            let event = words.next();
            output.inputs = number;
            let coverage = words.skip_while(|word| *word != "cov:").nth(1);
            let coverage = coverage.and_then(|word| word.parse().ok()).unwrap_or(0);
            if is_loaded && coverage > output.coverage {
                output.last_new = number;
            }
            output.coverage = output.coverage.max(coverage);
            is_loaded |= event == Some("INITED");
        }
        output
    }

    /// Takes the next round in.
    pub fn add(&mut self, next: &Self) {
        if next.last_new > 0 {
            self.last_new = self.inputs + next.last_new;
        }
        self.inputs += next.inputs;
        self.coverage = self.coverage.max(next.coverage);
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inputs,
            coverage,
            last_new,
            crash: _,
        } = self;
        write!(
            f,
            "{inputs} inputs, {coverage} edges, the last new at {last_new}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: &str = "INFO: Seed: 1\n#2\tINITED cov: 30 ft: 30 corp: 2/3b exec/s: 0 rss: 27Mb\n\
        \tNEW_FUNC[1/3]: 0x55bc3affee81\n\
        #9105\tNEW    cov: 34 ft: 36 corp: 3/14b lim: 92 exec/s: 0 rss: 27Mb L: 9/9 MS: 3 ChangeByte-\n\
        #9200\tREDUCE cov: 34 ft: 36 corp: 3/13b lim: 92 exec/s: 0 rss: 27Mb L: 8/8 MS: 1 EraseBytes-\n\
        #20000\tDONE   cov: 34 ft: 36 corp: 3/13b lim: 92 exec/s: 0 rss: 27Mb\nDone 20000 runs in 1 second(s)\n";

    #[test]
    fn a_round_says_when_it_last_covered_something_new() {
        let mut all = Output::parse(ROUND);
        let expected = Output {
            inputs: 20_000,
            coverage: 34,
            last_new: 9_105,
            crash: None,
        };
        assert_eq!(all, expected);
        all.add(&Output::parse(&ROUND.replace("cov: 34", "cov: 30")));
        assert_eq!((all.inputs, all.last_new), (40_000, 9_105));
        all.add(&Output::parse(ROUND));
        assert_eq!((all.inputs, all.last_new), (60_000, 49_105));
    }
}
