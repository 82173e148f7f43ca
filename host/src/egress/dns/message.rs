//! Questions and answers of the DNS (RFC 1035, RFC 3596), as far as addresses need them. Reads hostile bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Records of an answer that are looked at.
const RECORDS_MAX: u16 = 128;
/// Aliases that are followed.
const ALIASES_MAX: usize = 8;
/// Pointers in one name that are followed.
const POINTERS_MAX: usize = 16;
/// Longest name, and longest part of one, in bytes.
const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;
const HEADER_BYTES: usize = 12;
const CLASS_IN: u16 = 1;
const TYPE_CNAME: u16 = 5;
/// Flags of a question: please resolve.
const RECURSION_DESIRED: u16 = 0x0100;
const IS_ANSWER: u16 = 0x8000;
const IS_TRUNCATED: u16 = 0x0200;
const OPCODE: u16 = 0x7800;
const RCODE: u16 = 0x000f;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
}

impl Kind {
    const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
        }
    }
}

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Addresses(Vec<IpAddr>),
    /// The answer is too long for a datagram.
    Truncated,
    /// By the name of its code.
    Failed(&'static str),
}

/// A question.
#[derive(Debug)]
pub(super) struct Query {
    id: u16,
    name: String,
    kind: Kind,
    bytes: Vec<u8>,
}

impl Query {
    /// `None` if that is no name.
    pub(super) fn new(name: &str, kind: Kind) -> Option<Self> {
        let id: u16 = rand::random();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + name.len() + 6);
        for part in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
            bytes.extend_from_slice(&part.to_be_bytes());
        }
        for label in name.split('.') {
            let length = u8::try_from(label.len())
                .ok()
                .filter(|length| (1..=LABEL_BYTES_MAX).contains(&usize::from(*length)))?;
            bytes.push(length);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend_from_slice(&kind.number().to_be_bytes());
        bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
        (name.len() < NAME_BYTES_MAX).then(|| Self { id, name: name.to_ascii_lowercase(), kind, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The answer, if these bytes are one to this question.
    pub(super) fn answer(&self, bytes: &[u8]) -> Option<Answer> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let (questions, records) = (reader.u16()?, reader.u16()?);
        reader.skip(4)?;
        let is_ours = id == self.id && flags & IS_ANSWER != 0 && flags & OPCODE == 0 && questions == 1;
        if !is_ours || reader.name()? != self.name || reader.u16()? != self.kind.number() || reader.u16()? != CLASS_IN {
            return None;
        }
        match flags & RCODE {
            0 if flags & IS_TRUNCATED != 0 => Some(Answer::Truncated),
            0 => Some(Answer::Addresses(self.addresses(&reader.records(records)?))),
            2 => Some(Answer::Failed("SERVFAIL")),
            3 => Some(Answer::Failed("NXDOMAIN")),
            5 => Some(Answer::Failed("REFUSED")),
            _ => Some(Answer::Failed("error")),
        }
    }

    /// Of the name itself, or of that which it is an alias of.
    fn addresses(&self, records: &[(String, Data)]) -> Vec<IpAddr> {
        let mut name = self.name.as_str();
        for _ in 0..ALIASES_MAX {
            let of_name = || records.iter().filter(|(owner, _)| owner == name).map(|(_, data)| data);
            let found: Vec<IpAddr> = of_name().filter_map(|data| data.address(self.kind)).collect();
            let alias = of_name().find_map(|data| if let Data::Alias(alias) = data { Some(alias) } else { None });
            match alias {
                Some(alias) if found.is_empty() => name = alias,
                Some(_) | None => return found,
            }
        }
        Vec::new()
    }
}

/// What a record says.
#[derive(Debug)]
enum Data {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Alias(String),
    Other,
}

impl Data {
    fn address(&self, kind: Kind) -> Option<IpAddr> {
        match (self, kind) {
            (Self::V4(address), Kind::A) => Some((*address).into()),
            (Self::V6(address), Kind::Aaaa) => Some((*address).into()),
            _ => None,
        }
    }
}

/// Reads a message from its beginning.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let found = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*found)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len())?;
        self.at = end;
        Some(())
    }

    /// A name in lower case, without a dot at its end. Only the first part of it may lie elsewhere's before: pointers lead on, a
    /// bounded number of times.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut after = None;
        let mut pointers = 0;
        loop {
            match self.u8()? {
                0 => break,
                high if high & 0xc0 == 0xc0 => {
                    let target = usize::from(u16::from_be_bytes([high & 0x3f, self.u8()?]));
                    after.get_or_insert(self.at);
                    pointers += 1;
                    if pointers > POINTERS_MAX {
                        return None;
                    }
                    self.at = target;
                }
                length if usize::from(length) <= LABEL_BYTES_MAX => self.label(length, &mut name)?,
                _ => return None,
            }
        }
        self.at = after.unwrap_or(self.at);
        Some(name)
    }

    fn label(&mut self, length: u8, name: &mut String) -> Option<()> {
        if !name.is_empty() {
            name.push('.');
        }
        for _ in 0..length {
            name.push(char::from(self.u8()?.to_ascii_lowercase()));
        }
        (name.len() <= NAME_BYTES_MAX).then_some(())
    }

    fn records(&mut self, count: u16) -> Option<Vec<(String, Data)>> {
        (0..count.min(RECORDS_MAX)).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Option<(String, Data)> {
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        self.skip(4)?;
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let data = match (class, kind, length) {
            (CLASS_IN, 1, 4) => Data::V4(Ipv4Addr::from(self.array::<4>()?)),
            (CLASS_IN, 28, 16) => Data::V6(Ipv6Addr::from(self.array::<16>()?)),
            (CLASS_IN, TYPE_CNAME, _) => Data::Alias(self.name()?),
            _ => Data::Other,
        };
        self.at = end;
        Some((owner, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with these records, each already encoded, to a question.
    fn answer(query: &Query, flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = query.bytes.clone();
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        records.iter().for_each(|record| bytes.extend_from_slice(record));
        bytes
    }

    fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = owner.to_vec();
        for part in [kind, CLASS_IN, 0, 60, u16::try_from(data.len()).unwrap()] {
            bytes.extend_from_slice(&part.to_be_bytes());
        }
        bytes.extend_from_slice(data);
        bytes
    }

    /// A pointer to the name in the question.
    const ASKED: [u8; 2] = [0xc0, 12];

    #[test]
    fn addresses_are_found_by_name_and_by_alias() {
        let query = Query::new("A.test", Kind::A).unwrap();
        let direct = answer(&query, 0x8180, &[record(&ASKED, 1, &[1, 2, 3, 4]), record(b"\x01b\0", 1, &[9; 4])]);
        assert_eq!(query.answer(&direct), Some(Answer::Addresses(vec!["1.2.3.4".parse().unwrap()])));
        let alias =
            answer(&query, 0x8180, &[record(&ASKED, 5, b"\x01b\x04test\0"), record(b"\x01B\x04test\0", 1, &[5; 4])]);
        assert_eq!(query.answer(&alias), Some(Answer::Addresses(vec!["5.5.5.5".parse().unwrap()])));
        let six = Query::new("a.test", Kind::Aaaa).unwrap();
        let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
        let found = six.answer(&answer(&six, 0x8180, &[record(&ASKED, 28, &loopback), record(&ASKED, 1, &[1; 4])]));
        assert_eq!(found, Some(Answer::Addresses(vec!["::1".parse().unwrap()])));
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_not_taken() {
        let query = Query::new("a.test", Kind::A).unwrap();
        let good = answer(&query, 0x8180, &[record(&ASKED, 1, &[1, 2, 3, 4])]);
        let mut other_id = good.clone();
        other_id[0] ^= 1;
        assert_eq!(query.answer(&other_id), None);
        assert_eq!(query.answer(query.bytes()), None, "a question is no answer");
        let other_name = Query { id: query.id, ..Query::new("b.test", Kind::A).unwrap() };
        assert_eq!(other_name.answer(&good), None);
        assert_eq!(query.answer(&answer(&query, 0x8183, &[])), Some(Answer::Failed("NXDOMAIN")));
        assert_eq!(query.answer(&answer(&query, 0x8380, &[])), Some(Answer::Truncated));
        for end in 0..good.len() {
            assert_eq!(query.answer(&good[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn names_that_lead_in_circles_end() {
        let query = Query::new("a.test", Kind::A).unwrap();
        let at = u8::try_from(query.bytes.len()).unwrap();
        assert_eq!(query.answer(&answer(&query, 0x8180, &[record(&[0xc0, at], 1, &[1; 4])])), None);
        let circle = [record(&ASKED, 5, b"\x01b\0"), record(b"\x01b\0", 5, &ASKED)];
        assert_eq!(query.answer(&answer(&query, 0x8180, &circle)), Some(Answer::Addresses(vec![])));
        assert!(Query::new("a..test", Kind::A).is_none() && Query::new(&"x".repeat(64), Kind::A).is_none());
    }
}
