//! The walls, from inside: each story starts this program again as the one that is jailed, which tries what it must not.
//!
//! A kernel without Landlock or seccomp fails these tests, which is meant: there the walls are missing.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a jailed story fails its test")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tasklane_jail::{ChildPlan, HostPlan, Sandbox, Wall, WallState, raise_compiler, raise_host};

/// Ends a jailed story that went well.
const HELD: &str = "every wall held";

fn start(story: &str, argument: &str) -> Output {
    let me = std::env::current_exe().unwrap();
    Command::new(me).args([story, "--exact", "--ignored", "--nocapture", "--skip", argument]).output().unwrap()
}

#[track_caller]
fn held(story: &str, argument: &str) {
    let output = start(story, argument);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(HELD), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What a story was given: the harness takes no arguments of ours, so that it travels as a name to skip.
fn argument() -> String {
    std::env::args().next_back().unwrap()
}

#[track_caller]
fn is_refused<T>(what: &str, tried: std::io::Result<T>) {
    let kind = tried.map(drop).expect_err(what).kind();
    assert_eq!(kind, ErrorKind::PermissionDenied, "{what}");
}

/// Gives a page of this process back to the kernel, by a call that can also speak of other processes.
#[expect(unsafe_code, reason = "neither libc nor rustix has it")]
fn give_back(process: i32) -> std::io::Result<()> {
    let mut page = vec![0_u8; 4 * 4_096];
    let start = page.as_mut_ptr().wrapping_add(page.as_ptr().align_offset(4_096));
    let regions = [libc::iovec { iov_base: start.cast(), iov_len: 4_096 }];
    // SAFETY: the region is inside `page`, which is nobody else's and is not read afterwards.
    let told =
        unsafe { libc::syscall(libc::SYS_process_madvise, process, regions.as_ptr(), 1, libc::MADV_DONTNEED, 0) };
    if told < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

fn child(memory_bytes: u64, cpu_seconds: u64) -> ChildPlan {
    ChildPlan { sandbox: Sandbox::Strict, memory_bytes, cpu_seconds }
}

#[test]
fn a_compile_child_reaches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    std::fs::write(&open, "before").unwrap();
    held("jailed_compiler", open.to_str().unwrap());
    assert_eq!(std::fs::read_to_string(open).unwrap(), "before and after");
}

#[test]
#[ignore = "started by another test"]
fn jailed_compiler() {
    let path = PathBuf::from(argument());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    let walls = raise_compiler(&child(2 << 30, 60)).unwrap();
    assert_eq!(walls.state(Wall::Landlock), Some(WallState::On), "{walls:?}");
    assert_eq!(walls.state(Wall::Seccomp), Some(WallState::On), "{walls:?}");
    let tries = move || {
        is_refused("a connection", TcpStream::connect(address));
        is_refused("a listener", TcpListener::bind("127.0.0.1:0"));
        is_refused("a datagram", UdpSocket::bind("127.0.0.1:0"));
        is_refused("a file outside", File::open("/etc/passwd"));
        is_refused("its own file by name", File::open(&path));
        is_refused("a new file", File::create(path.with_extension("new")));
        is_refused("a directory", std::fs::read_dir("/"));
        is_refused("a program", Command::new("/bin/true").spawn());
        let ended = rustix::process::kill_process(rustix::process::getppid().unwrap(), rustix::process::Signal::CONT);
        is_refused("a signal to its parent", ended.map_err(Into::into));
    };
    // Threads that it starts are behind the same walls.
    std::thread::spawn(tries.clone()).join().unwrap();
    tries();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    file.write_all(b" and after").unwrap();
    println!("{HELD}");
}

#[test]
fn a_compile_child_ends_at_its_limits() {
    let busy = start("busy_compiler", "x");
    assert_eq!(busy.status.signal(), Some(rustix::process::Signal::XCPU.as_raw()), "{busy:?}");
    let greedy = start("greedy_compiler", "x");
    assert_eq!(greedy.status.signal(), Some(rustix::process::Signal::ABORT.as_raw()), "{greedy:?}");
    assert!(String::from_utf8_lossy(&greedy.stderr).contains("memory allocation of"), "{greedy:?}");
}

#[test]
#[ignore = "started by another test"]
fn busy_compiler() {
    raise_compiler(&child(1 << 30, 1)).unwrap();
    loop {
        std::hint::spin_loop();
    }
}

#[test]
#[ignore = "started by another test"]
fn greedy_compiler() {
    raise_compiler(&child(256 << 20, 60)).unwrap();
    let bytes = std::hint::black_box(vec![1_u8; 512 << 20]);
    println!("{}", bytes.len());
}

#[test]
fn a_host_reaches_what_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    held("jailed_host", dir.path().to_str().unwrap());
    let kept = dir.path().join("cache/kept");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept");
}

#[test]
#[ignore = "started by another test"]
fn jailed_host() {
    let dir = PathBuf::from(argument());
    let (cache, secret) = (dir.join("cache"), dir.join("secret"));
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(&secret, "s3cret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let me = std::env::current_exe().unwrap();
    let plan = HostPlan { sandbox: Sandbox::Strict, write: vec![cache.clone()], run: vec![me], ..HostPlan::default() };
    let walls = raise_host(&plan).unwrap();
    assert_eq!(walls.state(Wall::Landlock), Some(WallState::On), "{walls:?}");
    let tries = move || {
        host_can(&cache, &listener);
        host_cannot(&dir, &secret);
    };
    std::thread::spawn(tries).join().unwrap();
    println!("{HELD}");
}

fn host_can(cache: &Path, listener: &TcpListener) {
    TcpStream::connect(listener.local_addr().unwrap()).expect("NATS is reached");
    std::fs::read_to_string("/etc/hosts").expect("names are resolved");
    std::fs::read_to_string("/proc/self/statm").expect("its own memory is read");
    std::fs::write(cache.join("new"), "kept").expect("the cache is written");
    std::fs::rename(cache.join("new"), cache.join("kept")).expect("files are replaced whole");
    // `PIDFD_SELF`; kernels before 6.14 do not know it.
    let given_back = give_back(-10_000).map_err(|error| error.raw_os_error());
    assert!(matches!(given_back, Ok(()) | Err(Some(libc::EINVAL | libc::EBADF))), "{given_back:?}");
    let child = Command::new("/proc/self/exe").arg("--list").output().expect("its own program is started");
    assert!(child.status.success(), "{child:?}");
}

fn host_cannot(dir: &Path, secret: &Path) {
    is_refused("a file outside", File::open(secret));
    is_refused("a new file outside", File::create(dir.join("new")));
    is_refused("a directory outside", std::fs::read_dir(dir));
    is_refused("a shell", Command::new("/bin/sh").spawn());
    is_refused("a listener", TcpListener::bind("127.0.0.1:0"));
    let raw = rustix::net::socket(rustix::net::AddressFamily::PACKET, rustix::net::SocketType::RAW, None);
    is_refused("a raw socket", raw.map_err(Into::into));
    is_refused("advice about a process by its descriptor", give_back(0));
    let parent = rustix::process::getppid().unwrap();
    let signalled = rustix::process::kill_process(parent, rustix::process::Signal::CONT);
    is_refused("a signal to its parent", signalled.map_err(Into::into));
    let left =
        Command::new("/proc/self/exe").args(["unshared", "--exact", "--ignored", "--nocapture"]).output().unwrap();
    assert!(String::from_utf8_lossy(&left.stdout).contains(HELD), "{left:?}");
    assert!(rustix::thread::capabilities(None).unwrap().permitted.is_empty());
}

/// A child of a host is behind the host's walls, and cannot leave by a namespace of its own.
#[test]
#[ignore = "started by another test"]
fn unshared() {
    is_refused("a file outside", File::open("/bin/sh"));
    let walls = raise_compiler(&child(2 << 30, 60)).unwrap();
    assert_eq!(walls.state(Wall::Network), Some(WallState::Partial), "{walls:?}");
    println!("{HELD}");
}

#[test]
fn a_sandbox_that_is_off_raises_nothing() {
    let walls = raise_host(&HostPlan { sandbox: Sandbox::Off, ..HostPlan::default() }).unwrap();
    assert!(walls.0.iter().all(|one| one.state == WallState::Off), "{walls:?}");
    File::open("/proc/self/exe").unwrap();
}
