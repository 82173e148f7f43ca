//! Archives: the same files are the same bytes, and hostile ones are refused by name.

use super::*;

fn archive(files: &[(&str, &[u8])]) -> Archive {
    let mut archive = Archive::default();
    for (path, bytes) in files {
        archive.add(path, Bytes::copy_from_slice(bytes)).unwrap();
    }
    archive
}

/// An archive of one entry with whatever a test wants in its header.
fn forged(change: impl FnOnce(&mut [u8; BLOCK])) -> Result<Archive, AssetError> {
    let mut block = header("a", 3);
    change(&mut block);
    let sum = checksum(&block);
    put(&mut block, CHECKSUM, format!("{sum:06o}\0 ").as_bytes());
    let mut tar = block.to_vec();
    tar.extend_from_slice(b"abc");
    tar.resize(4 * BLOCK, 0);
    Archive::read(&tar.into())
}

fn word(refused: Result<Archive, AssetError>) -> String {
    refused.unwrap_err().to_string()
}

#[test]
fn what_is_packed_reads_back_and_the_order_does_not_matter() {
    let one = archive(&[("b/c.txt", b"see"), ("a", b""), ("d", &[7; 513])]);
    let other = archive(&[("d", &[7; 513]), ("a", b""), ("b/c.txt", b"see")]);
    assert_eq!(one.to_bytes(), other.to_bytes());
    assert_eq!(Archive::read(&one.to_bytes()).unwrap(), one);
    let paths: Vec<&str> = one.files().map(|(path, _)| path).collect();
    assert_eq!(paths, ["a", "b/c.txt", "d"]);
    let stored = one.stored(BlobDigest::from_bytes([1; 32]));
    assert_eq!((stored.files, stored.size_bytes), (3, 516));
    assert_eq!(Archive::read(&Archive::default().to_bytes()).unwrap(), Archive::default());
}

#[test]
fn what_other_programs_write_becomes_the_one_form() {
    let dotted = forged(|block| {
        put(block, NAME, b"./a");
        put(block, TIME, b"14700000000\0");
        put(block, UID, b"0001750\0");
    });
    assert_eq!(dotted.unwrap().to_bytes(), archive(&[("a", b"abc")]).to_bytes());
    let prefixed = forged(|block| put(block, PREFIX, b"dir/below"));
    assert_eq!(prefixed.unwrap(), archive(&[("dir/below/a", b"abc")]));
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in ["/etc/passwd", "../a", "a/../../b", "a//b", "./../a", "a/./b", "a\\b", "a\nb", "", "a/"] {
        let mut files = Archive::default();
        assert!(matches!(files.add(path, Bytes::new()), Err(AssetError::Path { .. })), "`{path}`");
    }
    assert!(word(forged(|block| put(block, NAME, b"../a"))).contains("must stay below"));
    assert!(word(forged(|block| put(block, NAME, b"/a"))).contains("must stay below"));
    assert!(word(forged(|block| put(block, PREFIX, b".."))).contains("must stay below"));
    assert!(word(forged(|block| put(block, NAME, b"\xff"))).contains("UTF-8"));
}

#[test]
fn links_devices_and_extensions_are_refused() {
    for (kind, what) in [
        (b"1", "hard link"),
        (b"2", "symbolic link"),
        (b"3", "device"),
        (b"6", "pipe"),
        (b"x", "extension"),
        (b"L", "extension"),
    ] {
        assert!(word(forged(|block| put(block, (KIND, 1), kind))).contains(what), "{what}");
    }
    assert!(word(forged(|block| put(block, (KIND, 1), b"5"))).contains("neither"), "a directory with bytes");
}

#[test]
fn what_is_cut_or_does_not_add_up_is_refused() {
    let whole = archive(&[("a", b"abc")]).to_bytes();
    for end in [0, 1, 511, 512, 1023, 1024, 1025] {
        assert!(Archive::read(&whole.slice(..end)).is_err(), "{end} bytes");
    }
    let mut changed = whole.to_vec();
    changed[0] = b'b';
    assert!(word(Archive::read(&changed.into())).contains("checksum"));
    assert!(word(forged(|block| put(block, SIZE, b"77777777777\0"))).contains("longer"));
    assert!(word(forged(|block| put(block, SIZE, b"-1         \0"))).contains("number"));
    assert!(Archive::read(&Bytes::from(vec![b'x'; 4096])).is_err());
}

#[test]
fn a_path_is_there_once_and_is_a_file_or_a_directory() {
    let mut files = archive(&[("a/b", b"")]);
    for path in ["a/b", "a", "a/b/c"] {
        assert!(files.add(path, Bytes::new()).unwrap_err().to_string().contains("another file"), "`{path}`");
    }
    files.add("a/bc", Bytes::new()).unwrap();
    files.add("a.b", Bytes::new()).unwrap();
}

#[test]
fn there_are_limits() {
    let mut files = Archive::default();
    for number in 0..ASSET_FILES_MAX {
        files.add(&format!("{number}"), Bytes::new()).unwrap();
    }
    assert!(matches!(files.add("more", Bytes::new()), Err(AssetError::Limit(_))));
    let half = Bytes::from(vec![0; usize::try_from(ASSET_BYTES_MAX / 2).unwrap()]);
    let mut files = Archive::default();
    files.add("a", half.clone()).unwrap();
    files.add("b", half).unwrap();
    assert!(files.to_bytes().len() <= ARCHIVE_BYTES_MAX);
    assert!(matches!(files.add("c", Bytes::from_static(b"1")), Err(AssetError::Limit(_))));
    let mut files = Archive::default();
    assert!(files.add(&"x".repeat(ASSET_PATH_BYTES_MAX + 1), Bytes::new()).is_err());
    assert!(files.add(&["d"; ASSET_DEPTH_MAX + 1].join("/"), Bytes::new()).is_err());
    files.add(&["d"; ASSET_DEPTH_MAX].join("/"), Bytes::new()).unwrap();
}

#[test]
fn guests_see_them_where_the_manifest_says() {
    let settings = |path: &str| AssetSettings { dir: None, path: path.to_owned(), stored: None };
    assert!(settings("/assets").check().is_ok() && settings("/opt/data").check().is_ok());
    for bad in ["", "/", "assets", "/../etc", "/a/./b"] {
        assert!(settings(bad).check().is_err(), "`{bad}`");
    }
}

proptest::proptest! {
    #[test]
    fn every_set_of_files_reads_back(files in proptest::collection::btree_map("[a-z]{1,8}", proptest::collection::vec(0_u8.., 0..1500), 0..20)) {
        let mut archive = Archive::default();
        for (path, bytes) in files {
            archive.add(&path, bytes.into()).unwrap();
        }
        let bytes = archive.to_bytes();
        let read = Archive::read(&bytes).unwrap();
        proptest::prop_assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(0_u8.., 0..3000)) {
        if let Ok(archive) = Archive::read(&bytes.into()) {
            proptest::prop_assert!(archive.files().all(|(path, _)| check_path(path).is_ok()));
        }
    }
}
