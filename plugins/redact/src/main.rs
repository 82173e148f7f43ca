//! Text on stdin, the same on stdout without what should not be in a log: `redact email card ip token < in > out`.
//!
//! An example to copy: a plain Rust program that knows nothing of Tasklane, built as a WASI preview 2 command. It reads and writes
//! line by line, so that its memory does not depend on its input. Exit status 64: the arguments are wrong; 65: the input is. Preview 2
//! makes 1 of both.

use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

use regex_lite::{Captures, Regex};

/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What is looked for: a name for the command line, a pattern, and what decides whether a match is one.
struct Kind {
    name: &'static str,
    pattern: &'static str,
    is_one: fn(&str) -> bool,
}

const KINDS: [Kind; 4] = [
    Kind { name: "email", pattern: r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", is_one: |_| true },
    Kind { name: "card", pattern: r"\b[0-9](?:[ -]?[0-9]){12,18}\b", is_one: is_card },
    Kind { name: "ip", pattern: r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b", is_one: is_address },
    Kind { name: "token", pattern: r"\b(?:gh[pousr]_|sk-|xox[abp]-|AKIA|eyJ)[A-Za-z0-9._-]{12,}", is_one: |_| true },
];

/// Why it does not work: an exit status and a sentence.
struct Failure(u8, String);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(status, why)) => {
            eprintln!("redact: {why}");
            ExitCode::from(status)
        }
    }
}

fn run() -> Result<(), Failure> {
    let rules = rules(std::env::args().skip(1))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut counts = vec![0_u64; rules.len()];
    let mut number = 0_u64;
    let mut input = io::stdin().lock();
    while let Some(line) = next_line(&mut input, &mut number)? {
        let line = redacted(line, &rules, &mut counts);
        out.write_all(line.as_bytes()).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    for ((kind, _), count) in rules.iter().zip(counts) {
        eprintln!("{}: {count}", kind.name);
    }
    Ok(())
}

fn failed(error: io::Error) -> Failure {
    Failure(74, error.to_string())
}

fn rules(names: impl Iterator<Item = String>) -> Result<Vec<(&'static Kind, Regex)>, Failure> {
    let known = || KINDS.map(|kind| kind.name).join(", ");
    let rule = |name: String| {
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let kind = kind.ok_or_else(|| Failure(64, format!("`{name}` is none of: {}", known())))?;
        let regex = Regex::new(kind.pattern).map_err(|error| Failure(70, error.to_string()))?;
        Ok((kind, regex))
    };
    let rules: Vec<_> = names.map(rule).collect::<Result<_, _>>()?;
    if rules.is_empty() { Err(Failure(64, format!("name what to take out: {}", known()))) } else { Ok(rules) }
}

/// The next line with its end, or none after the last.
fn next_line(input: &mut impl BufRead, number: &mut u64) -> Result<Option<String>, Failure> {
    let mut bytes = Vec::new();
    let mut limited = io::Read::take(input, LINE_BYTES_MAX as u64 + 1);
    limited.read_until(b'\n', &mut bytes).map_err(failed)?;
    *number += 1;
    match bytes.len() {
        0 => Ok(None),
        long if long > LINE_BYTES_MAX => Err(Failure(65, format!("line {number} is over {LINE_BYTES_MAX} bytes"))),
        _ => String::from_utf8(bytes).map(Some).map_err(|_| Failure(65, format!("line {number} is no UTF-8 text"))),
    }
}

fn redacted(mut line: String, rules: &[(&'static Kind, Regex)], counts: &mut [u64]) -> String {
    for ((kind, regex), count) in rules.iter().zip(counts) {
        let replace = |found: &Captures| {
            let text = &found[0];
            if !(kind.is_one)(text) {
                return text.to_owned();
            }
            *count += 1;
            format!("[{}]", kind.name)
        };
        line = regex.replace_all(&line, replace).into_owned();
    }
    line
}

/// The check digit of card numbers (Luhn): every second digit from the right is doubled.
fn is_card(text: &str) -> bool {
    let digits = text.chars().rev().filter_map(|character| character.to_digit(10));
    let sum: u32 =
        digits.enumerate().map(|(at, digit)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit }).sum();
    sum.is_multiple_of(10)
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &str) -> String {
        let Ok(rules) = rules(KINDS.iter().map(|kind| kind.name.to_owned())) else { panic!("all kinds are known") };
        redacted(line.to_owned(), &rules, &mut [0; 4])
    }

    #[test]
    fn what_is_one_goes_and_what_is_not_stays() {
        assert_eq!(all("ada@example.org from 10.0.0.7"), "[email] from [ip]");
        assert_eq!(
            all("card 4111 1111 1111 1111, order 4111 1111 1111 1112"),
            "card [card], order 4111 1111 1111 1112"
        );
        assert_eq!(all("version 999.1.2.3, token ghp_0123456789abcdef"), "version 999.1.2.3, token [token]");
    }
}
