//! How a guest's memory gets its first contents, and what compiled code says of it.
//!
//! Called where modules are compiled and where they are loaded. Guarantees: whoever compiles decides by the module alone, so that all hosts do
//! alike; the decision is part of what is signed.

use wasmparser::{Parser, Payload};

/// Most bytes of data that are copied for each guest. The memory of QuickJS has 1.3 MB, that of CPython tens of MiB.
pub(crate) const COPIED_BYTES_MAX: usize = 4 << 20;

/// By how much data a module has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryInit {
    /// Little: it is copied into a memory that stays mapped (`memories`).
    Copied,
    /// Much: it is mapped as a file, and pages are copied when a guest writes to them, in the engine's own pool.
    Mapped,
}

impl MemoryInit {
    /// How it is for a module or component that was inspected before.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        // What cannot be read is refused by whoever compiles it.
        let payloads = Parser::new(0).parse_all(wasm).map_while(Result::ok);
        let data = payloads.map(|payload| match payload {
            Payload::DataSection(section) => section.range().len(),
            _ => 0,
        });
        if data.sum::<usize>() <= COPIED_BYTES_MAX { Self::Copied } else { Self::Mapped }
    }

    const fn mark(self) -> u8 {
        match self {
            Self::Copied => b'c',
            Self::Mapped => b'm',
        }
    }

    /// Compiled code with a last byte that says how. Not the first: code is read where it is aligned.
    pub(crate) fn marked(self, mut code: Vec<u8>) -> Vec<u8> {
        code.push(self.mark());
        code
    }

    /// What [`MemoryInit::marked`] was given; none if it is not from there.
    pub(crate) fn read(compiled: &[u8]) -> Option<(Self, &[u8])> {
        let (mark, code) = compiled.split_last()?;
        let init = [Self::Copied, Self::Mapped].into_iter().find(|init| init.mark() == *mark)?;
        Some((init, code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(data: usize) -> Vec<u8> {
        wat::parse_str(format!(r#"(module (memory 200) (data (i32.const 0) "{}"))"#, "x".repeat(data))).unwrap()
    }

    #[test]
    fn the_bytes_of_data_decide() {
        assert_eq!(MemoryInit::of(&module(0)), MemoryInit::Copied);
        assert_eq!(MemoryInit::of(&module(COPIED_BYTES_MAX - 64)), MemoryInit::Copied);
        assert_eq!(MemoryInit::of(&module(COPIED_BYTES_MAX)), MemoryInit::Mapped);
    }

    /// A component's modules count together.
    #[test]
    fn nested_data_counts() {
        let half = "x".repeat(COPIED_BYTES_MAX / 2);
        let module = format!(r#"(core module (memory 200) (data (i32.const 0) "{half}"))"#);
        let of = |text: String| MemoryInit::of(&wat::parse_str(format!("(component {text})")).unwrap());
        assert_eq!(of(module.clone()), MemoryInit::Copied);
        assert_eq!(of(format!("{module} {module}")), MemoryInit::Mapped);
    }

    #[test]
    fn what_was_marked_is_read() {
        for init in [MemoryInit::Copied, MemoryInit::Mapped] {
            assert_eq!(MemoryInit::read(&init.marked(b"code".to_vec())), Some((init, b"code".as_slice())));
        }
        assert_eq!(MemoryInit::read(b""), None);
        assert_eq!(MemoryInit::read(b"code?"), None);
    }
}
