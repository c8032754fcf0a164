//! A file layer under SQLite that remembers every write and every sync, so that a test can ask what a power cut at
//! any moment would have left; and that fails on demand, as disks do.
//!
//! It wraps the system's layer and passes everything through. All unsafe code of this crate is here.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::path::Path;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::ffi;

/// A sector: the smallest piece of a write that a power cut leaves whole.
const SECTOR: usize = 512;

/// A registered layer and what went through it.
#[derive(Clone, Copy)]
pub struct RecordingVfs {
    shared: &'static Shared,
}

/// Something that was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The name of the file, without its directory.
    pub file: String,
    /// What.
    pub action: Action,
}

/// What was done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bytes were written.
    Write {
        /// Where.
        offset: u64,
        /// Which.
        bytes: Vec<u8>,
    },
    /// It was cut, or extended with zeros.
    Truncate(u64),
    /// Everything before is on the disk.
    Sync,
    /// It is gone.
    Delete,
}

/// What the layer does instead of passing on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VfsFault {
    /// Nothing: it passes on.
    None,
    /// Writes find the disk full.
    Full,
    /// Writes fail.
    Write,
    /// Syncs fail, and nobody knows what is on the disk.
    Sync,
}

struct Shared {
    real: *mut ffi::sqlite3_vfs,
    log: Mutex<Vec<Operation>>,
    fault: AtomicU8,
}

// SAFETY: `real` is the system's layer, which SQLite itself calls from every thread and never frees.
unsafe impl Send for Shared {}
// SAFETY: as above; the rest is synchronised.
unsafe impl Sync for Shared {}

impl RecordingVfs {
    /// Registers the layer under a name, for [`Options::vfs`](crate::Options::vfs). It stays for the life of the
    /// process, with all that it remembers.
    pub fn register(name: &str) -> RecordingVfs {
        let name = CString::new(name).expect("a name has no zero byte").into_raw();
        // SAFETY: SQLite gives the default layer, which is never freed; a copy of it with other entries is registered
        // and, like the name and what it points to, never freed either.
        unsafe {
            let real = ffi::sqlite3_vfs_find(ptr::null());
            let log = Mutex::new(Vec::new());
            let shared: &'static Shared = Box::leak(Box::new(Shared { real, log, fault: AtomicU8::new(0) }));
            let layer = ffi::sqlite3_vfs {
                szOsFile: size_of::<Shim>() as c_int,
                zName: name,
                pNext: ptr::null_mut(),
                pAppData: ptr::from_ref(shared).cast_mut().cast(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*real
            };
            let registered = ffi::sqlite3_vfs_register(Box::leak(Box::new(layer)), 0);
            assert_eq!(registered, ffi::SQLITE_OK, "registering a layer only takes memory");
            RecordingVfs { shared }
        }
    }

    /// How many operations there were so far.
    pub fn len(&self) -> usize {
        self.shared.log().len()
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From now on does this.
    pub fn set_fault(&self, fault: VfsFault) {
        self.shared.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// Writes into `dir` what a power cut behind the first `up_to` operations can have left: everything synced, and
    /// of the rest whatever the seed picks, sector by sector.
    ///
    /// # Errors
    /// When `dir` cannot be written.
    pub fn replay(&self, up_to: usize, seed: u64, dir: &Path) -> io::Result<()> {
        let log = self.shared.log();
        let mut files: BTreeMap<&str, File<'_>> = BTreeMap::new();
        for operation in &log[..up_to] {
            match operation.action {
                Action::Delete => drop(files.remove(&*operation.file)),
                Action::Write { .. } | Action::Truncate(_) | Action::Sync => {
                    files.entry(&operation.file).or_default().take(&operation.action);
                }
            }
        }
        let mut random = Random(seed);
        for (name, file) in files {
            std::fs::write(dir.join(name), file.after_power_cut(&mut random))?;
        }
        Ok(())
    }
}

impl Shared {
    fn log(&self) -> std::sync::MutexGuard<'_, Vec<Operation>> {
        self.log.lock().expect("no code panics while it holds the lock")
    }

    fn fails_with(&self, fault: VfsFault) -> bool {
        self.fault.load(Ordering::SeqCst) == fault as u8
    }
}

/// A file during a replay.
#[derive(Default)]
struct File<'a> {
    synced: Vec<u8>,
    unsynced: Vec<&'a Action>,
}

impl<'a> File<'a> {
    fn take(&mut self, action: &'a Action) {
        match action {
            Action::Write { .. } | Action::Truncate(_) => self.unsynced.push(action),
            Action::Sync => {
                for action in std::mem::take(&mut self.unsynced) {
                    apply(&mut self.synced, action, || true);
                }
            }
            Action::Delete => *self = File::default(),
        }
    }

    fn after_power_cut(mut self, random: &mut Random) -> Vec<u8> {
        for action in self.unsynced {
            match random.below(3) {
                0 => {}
                1 => apply(&mut self.synced, action, || true),
                _ => apply(&mut self.synced, action, || random.below(2) == 0),
            }
        }
        self.synced
    }
}

/// Does it to `content`; of a write only the sectors that `keeps` picks.
fn apply(content: &mut Vec<u8>, action: &Action, mut keeps: impl FnMut() -> bool) {
    match action {
        Action::Write { offset, bytes } => {
            let mut at = *offset as usize;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                if keeps() {
                    content.resize(content.len().max(at + piece.len()), 0);
                    content[at..at + piece.len()].copy_from_slice(piece);
                }
                (at, rest) = (at + piece.len(), later);
            }
        }
        Action::Truncate(size) if keeps() => content.resize(*size as usize, 0),
        Action::Truncate(_) | Action::Sync | Action::Delete => {}
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What SQLite takes for an open file; the system's own file hangs behind it.
#[repr(C)]
struct Shim {
    methods: ffi::sqlite3_file,
    inner: *mut ffi::sqlite3_file,
    file: *mut OpenFile,
}

struct OpenFile {
    /// `None` for temporary files.
    name: Option<String>,
    shared: &'static Shared,
    /// The memory of `inner`: words, because the system's file holds pointers.
    _memory: Box<[u64]>,
}

impl OpenFile {
    fn record(&self, action: Action) {
        if let Some(name) = &self.name {
            self.shared.log().push(Operation { file: name.clone(), action });
        }
    }
}

fn file_name(path: &CStr) -> String {
    path.to_string_lossy().rsplit('/').next().unwrap_or_default().to_owned()
}

/// SAFETY, for all functions below: SQLite calls them with the layer that was registered, and with files that `open`
/// has filled and `close` has not yet emptied, from one thread at a time for each file.
unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    unsafe {
        let shared: &'static Shared = &*(*vfs).pAppData.cast::<Shared>().cast_const();
        let mut memory = vec![0_u64; ((*shared.real).szOsFile as usize).div_ceil(8)].into_boxed_slice();
        let inner: *mut ffi::sqlite3_file = memory.as_mut_ptr().cast();
        // Tells SQLite not to close the file should opening fail.
        (*file).pMethods = ptr::null();
        let real_open = (*shared.real).xOpen.expect("every layer opens files");
        let result = real_open(shared.real, name, inner, flags, flags_out);
        if result == ffi::SQLITE_OK {
            let name = (!name.is_null()).then(|| file_name(CStr::from_ptr(name)));
            let open = Box::new(OpenFile { name, shared, _memory: memory });
            let methods = ffi::sqlite3_file { pMethods: &METHODS };
            file.cast::<Shim>().write(Shim { methods, inner, file: Box::into_raw(open) });
        }
        result
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    unsafe {
        let shared: &'static Shared = &*(*vfs).pAppData.cast::<Shared>().cast_const();
        let real_delete = (*shared.real).xDelete.expect("every layer deletes files");
        let result = real_delete(shared.real, name, sync_dir);
        if result == ffi::SQLITE_OK {
            let file = file_name(CStr::from_ptr(name));
            shared.log().push(Operation { file, action: Action::Delete });
        }
        result
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe {
        let shim = &mut *file.cast::<Shim>();
        let real_close = (*(*shim.inner).pMethods).xClose.expect("every file can be closed");
        let result = real_close(shim.inner);
        drop(Box::from_raw(shim.file));
        shim.methods.pMethods = ptr::null();
        result
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    unsafe {
        let shim = &*file.cast::<Shim>();
        let open = &*shim.file;
        if open.shared.fails_with(VfsFault::Full) {
            return ffi::SQLITE_FULL;
        }
        if open.shared.fails_with(VfsFault::Write) {
            return ffi::SQLITE_IOERR_WRITE;
        }
        let real_write = (*(*shim.inner).pMethods).xWrite.expect("every file can be written");
        let result = real_write(shim.inner, bytes, length, offset);
        if result == ffi::SQLITE_OK {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize).to_vec();
            open.record(Action::Write { offset: offset as u64, bytes });
        }
        result
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    unsafe {
        let shim = &*file.cast::<Shim>();
        let real_truncate = (*(*shim.inner).pMethods).xTruncate.expect("every file can be cut");
        let result = real_truncate(shim.inner, size);
        if result == ffi::SQLITE_OK {
            (*shim.file).record(Action::Truncate(size as u64));
        }
        result
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        let shim = &*file.cast::<Shim>();
        if (*shim.file).shared.fails_with(VfsFault::Sync) {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        let real_sync = (*(*shim.inner).pMethods).xSync.expect("every file can be synced");
        let result = real_sync(shim.inner, flags);
        if result == ffi::SQLITE_OK {
            (*shim.file).record(Action::Sync);
        }
        result
    }
}

/// Functions that only pass on to the file behind.
macro_rules! pass_on {
    ($($name:ident: $method:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) $(-> $result)? {
            unsafe {
                let inner = (*file.cast::<Shim>()).inner;
                let method = (*(*inner).pMethods).$method.expect("the system's layer has every method");
                method(inner $(, $argument)*)
            }
        }
    )*};
}

pass_on! {
    read: xRead(to: *mut c_void, length: c_int, offset: ffi::sqlite3_int64) -> c_int;
    file_size: xFileSize(size: *mut ffi::sqlite3_int64) -> c_int;
    lock: xLock(level: c_int) -> c_int;
    unlock: xUnlock(level: c_int) -> c_int;
    check_reserved_lock: xCheckReservedLock(result: *mut c_int) -> c_int;
    file_control: xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size: xSectorSize() -> c_int;
    device_characteristics: xDeviceCharacteristics() -> c_int;
    shm_map: xShmMap(page: c_int, size: c_int, extend: c_int, to: *mut *mut c_void) -> c_int;
    shm_lock: xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier: xShmBarrier();
    shm_unmap: xShmUnmap(delete: c_int) -> c_int;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without the third version's mapped reads: writes must all pass through here.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_any_sectors_of_the_rest() {
        let bytes = |value: u8| Action::Write { offset: 0, bytes: vec![value; 2 * SECTOR] };
        let (first, second) = (bytes(1), bytes(2));
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut file = File::default();
            for action in [&first, &Action::Sync, &second] {
                file.take(action);
            }
            let left = file.after_power_cut(&mut Random(seed));
            assert_eq!(left.len(), 2 * SECTOR);
            assert!(left.chunks(SECTOR).all(|sector| sector.iter().all(|&byte| byte == sector[0])));
            seen.insert((left[0], left[SECTOR]));
        }
        assert_eq!(Vec::from_iter(seen), [(1, 1), (1, 2), (2, 1), (2, 2)]);
    }
}
