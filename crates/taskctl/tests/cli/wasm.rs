//! Tiny WASI preview 1 commands, assembled by hand, so that these tests need no toolchain for wasm.

/// For a task that never ends by itself: the usual fuel is gone after about ten seconds.
pub(crate) const FOR_LONG: [&str; 4] = ["--timeout-ms", "3600000", "--fuel", "1000000000000"];

/// Index of a function type: `fd_read` and `fd_write`.
const FD_CALL: u8 = 0;
/// Index of a function type: nothing in, nothing out.
const PLAIN: u8 = 1;
/// Index of a function type: `proc_exit`.
const EXIT: u8 = 2;

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn sized(content: &[u8]) -> Vec<u8> {
    [leb(content.len()), content.to_vec()].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], sized(content)].concat()
}

/// A module with these imports of WASI, this `_start`, and this text at address 32.
fn command(imports: &[(&str, u8)], body: &[u8], text: &[u8]) -> Vec<u8> {
    let types = [&[3, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7f][..], &[0x60, 0, 0], &[0x60, 1, 0x7f, 0]].concat();
    let mut imported = leb(imports.len());
    for (name, kind) in imports {
        imported.extend([sized(b"wasi_snapshot_preview1"), sized(name.as_bytes()), vec![0, *kind]].concat());
    }
    let start = u8::try_from(imports.len()).unwrap();
    let exports = [vec![2], sized(b"memory"), vec![2, 0], sized(b"_start"), vec![0, start]].concat();
    let code = [vec![1], sized(&[&[0], body, &[0x0b]].concat())].concat();
    let data = [vec![1, 0, 0x41, 32, 0x0b], sized(text)].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &types),
        section(2, &imported),
        section(3, &[1, PLAIN]),
        section(5, &[1, 0, 1]),
        section(7, &exports),
        section(10, &code),
        section(11, &data),
    ]
    .concat()
}

/// `memory[0] = 32; memory[4] = 16384`: where a call finds its buffer, and how long that is.
const BUFFER: [u8; 16] = [0x41, 0, 0x41, 32, 0x36, 2, 0, 0x41, 0, 0x41, 0x80, 0x80, 1, 0x36, 2, 4];

/// Copies its standard input (up to 16 KiB) to its standard output.
pub(crate) fn echo() -> Vec<u8> {
    let read = [0x41, 0, 0x41, 0, 0x41, 1, 0x41, 16, 0x10, 0, 0x1a];
    let shorten = [0x41, 0, 0x41, 16, 0x28, 2, 0, 0x36, 2, 4];
    let write = [0x41, 1, 0x41, 0, 0x41, 1, 0x41, 20, 0x10, 1, 0x1a];
    let body = [&BUFFER[..], &read, &shorten, &write].concat();
    command(&[("fd_read", FD_CALL), ("fd_write", FD_CALL)], &body, b"")
}

/// Says `text` (under 64 bytes) on standard error and exits with `code` (under 64).
pub(crate) fn fail(text: &str, code: u8) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let shorten = [0x41, 0, 0x41, length, 0x36, 2, 4];
    let write = [0x41, 2, 0x41, 0, 0x41, 1, 0x41, 20, 0x10, 0, 0x1a];
    let body = [&BUFFER[..], &shorten, &write, &[0x41, code, 0x10, 1]].concat();
    command(&[("fd_write", FD_CALL), ("proc_exit", EXIT)], &body, text.as_bytes())
}

/// Says `text` (under 64 bytes) on standard error and never ends by itself.
pub(crate) fn say_and_spin(text: &str) -> Vec<u8> {
    let shorten = [0x41, 0, 0x41, u8::try_from(text.len()).unwrap(), 0x36, 2, 4];
    let write = [0x41, 2, 0x41, 0, 0x41, 1, 0x41, 20, 0x10, 0, 0x1a];
    let spin = [0x03, 0x40, 0x0c, 0, 0x0b];
    command(&[("fd_write", FD_CALL)], &[&BUFFER[..], &shorten, &write, &spin].concat(), text.as_bytes())
}

/// Never ends by itself.
pub(crate) fn spin() -> Vec<u8> {
    command(&[], &[0x03, 0x40, 0x0c, 0, 0x0b], b"")
}
