//! NVIDIA's libraries, loaded when a GPU is first asked for, and where they were looked for when they are not found.
//!
//! `build/entry_points.rs` tells why each of their functions has an entry point here. An entry point jumps to the address that stands in its place of a table.
//! At first that is zero, and the function is looked up by its name:
//!
//! ```text
//! cuMemAlloc_v2:  load table[i]; if it is zero, keep the arguments' registers, call cuda_entry_address(i), restore them; jump there
//! ```
//!
//! [`load`] opens all libraries beforehand and says what is missing, as an error; the entry points find them open. A toolkit's kernels register themselves
//! with the CUDA runtime before `main`. Where that is missing they register with nobody.

use std::env;
use std::error::Error;
use std::ffi::{CStr, OsString, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use candle_core::{Result, bail};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// Defines the entry points that the build script lists, as `"cuda_entry NAME, INDEX"`.
#[allow(unused_macros)] // Nothing is listed where the build found no toolkit.
macro_rules! entry_points {
    ($($entry:literal,)*) => {
        core::arch::global_asm!(
            ".macro cuda_entry name, index",
            ".globl \\name",
            ".hidden \\name",
            ".type \\name, @function",
            "\\name:",
            "mov r11, qword ptr [rip + {table} + 8 * \\index]",
            "test r11, r11",
            "jz 1f",
            "jmp r11",
            "1:",
            "mov r11d, \\index",
            "jmp cuda_entry_first_call",
            ".endm",
            ".text",
            // The index is in r11. Up to six integers and eight floats are in registers; the stack is the callee's to read.
            "cuda_entry_first_call:",
            "push rbp",
            "mov rbp, rsp",
            "push rdi",
            "push rsi",
            "push rdx",
            "push rcx",
            "push r8",
            "push r9",
            "push rax",
            "push r10",
            "sub rsp, 128",
            "movups [rsp], xmm0",
            "movups [rsp + 16], xmm1",
            "movups [rsp + 32], xmm2",
            "movups [rsp + 48], xmm3",
            "movups [rsp + 64], xmm4",
            "movups [rsp + 80], xmm5",
            "movups [rsp + 96], xmm6",
            "movups [rsp + 112], xmm7",
            "mov rdi, r11",
            "call {address}",
            "mov r11, rax",
            "movups xmm0, [rsp]",
            "movups xmm1, [rsp + 16]",
            "movups xmm2, [rsp + 32]",
            "movups xmm3, [rsp + 48]",
            "movups xmm4, [rsp + 64]",
            "movups xmm5, [rsp + 80]",
            "movups xmm6, [rsp + 96]",
            "movups xmm7, [rsp + 112]",
            "add rsp, 128",
            "pop r10",
            "pop rax",
            "pop r9",
            "pop r8",
            "pop rcx",
            "pop rdx",
            "pop rsi",
            "pop rdi",
            "pop rbp",
            "jmp r11",
            $($entry,)*
            table = sym ADDRESSES,
            address = sym cuda_entry_address,
        );
    };
}

include!(concat!(env!("OUT_DIR"), "/cuda_entry_points.rs"));

/// Where each function is; null until its first call.
static ADDRESSES: [AtomicPtr<c_void>; FUNCTIONS.len()] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; FUNCTIONS.len()];

// ANCHOR: load
/// Opens NVIDIA's libraries.
///
/// # Errors
/// If one is missing: which, and where it was looked for.
pub(super) fn load() -> Result<()> {
    for library in libraries() {
        if let Err(reason) = library {
            bail!("{reason}");
        }
    }
    Ok(())
}

/// All libraries, in the order in which they need each other.
fn libraries() -> &'static [std::result::Result<Library, String>] {
    static LIBRARIES: OnceLock<Vec<std::result::Result<Library, String>>> = OnceLock::new();
    LIBRARIES.get_or_init(|| SO_NAMES.iter().map(|name| open(name)).collect())
}

fn open(so_name: &str) -> std::result::Result<Library, String> {
    let folders = folders();
    let candidates = folders.iter().map(|folder| folder.join(so_name)).filter(|file| file.is_file());
    let mut refusals = Vec::new();
    // First by name alone: the system's loader has its own places, and LD_LIBRARY_PATH.
    for file in std::iter::once(PathBuf::from(so_name)).chain(candidates) {
        // SAFETY: these are NVIDIA's libraries, which candle would have had loaded before `main`; their initialisers may run at any time.
        match unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => {
                open_builtins(&file);
                return Ok(library);
            }
            Err(error) => refusals.push(error.source().map_or_else(|| error.to_string(), ToString::to_string)),
        }
    }
    Err(missing(so_name, &folders, refusals.last().map_or("", String::as_str)))
}
// ANCHOR_END: load

/// NVRTC opens a library of its own by name alone, which is found once it is open.
fn open_builtins(nvrtc: &Path) {
    let Some(folder) = nvrtc.parent().filter(|_| has_name(nvrtc, "libnvrtc.so")) else { return };
    for file in children(folder).iter().filter(|file| has_name(file, "libnvrtc-builtins.so")) {
        // SAFETY: as for NVRTC itself, whose part it is. It stays open. A failure is NVRTC's to report.
        let _ = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_GLOBAL) }.map(std::mem::forget);
    }
}

fn has_name(file: &Path, beginning: &str) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning))
}

fn missing(so_name: &str, folders: &[PathBuf], refusal: &str) -> String {
    let origin = if so_name.starts_with("libcuda.") {
        "it comes with NVIDIA's driver, which this machine has not, or which this container was not given"
    } else {
        "it comes with a CUDA toolkit, and with a PyTorch for CUDA: add its folder to LD_LIBRARY_PATH"
    };
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let looked =
        format!("looked where the system's loader does (LD_LIBRARY_PATH, ldconfig), and in {}", folders.join(", "));
    format!("{so_name} is missing: {origin}; {looked} ({refusal})")
}

/// Where toolkits, WSL and Python packages have them.
fn folders() -> Vec<PathBuf> {
    let roots = ["CUDA_HOME", "CUDA_PATH"].iter().filter_map(env::var_os).map(PathBuf::from);
    let mut folders: Vec<PathBuf> = roots
        .chain([PathBuf::from("/usr/local/cuda"), PathBuf::from("/opt/cuda")])
        .map(|root| root.join("lib64"))
        .collect();
    folders.push("/usr/lib/wsl/lib".into());
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(env::var_os);
    folders.extend(environments.flat_map(|root| wheels(&root)));
    folders
}

/// `lib/python3.*/site-packages/nvidia/*/lib` of a Python environment.
fn wheels(environment: &OsString) -> Vec<PathBuf> {
    let pythons = children(&Path::new(environment).join("lib"));
    let packages = pythons.iter().flat_map(|python| children(&python.join("site-packages/nvidia")));
    packages.map(|package| package.join("lib")).filter(|folder| folder.is_dir()).collect()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

// ANCHOR: entry
/// The address of a function at its first call, from its entry point.
#[allow(dead_code)] // Where nothing is listed, nothing calls it.
extern "C" fn cuda_entry_address(index: usize) -> *mut c_void {
    let (library_index, name) = FUNCTIONS[index];
    let address = match &libraries()[library_index] {
        // SAFETY: the address is only ever called as what the caller declared, as it would be after linking.
        Ok(library) => match unsafe { library.get::<*mut c_void>(name.to_bytes_with_nul()) } {
            Ok(symbol) => symbol.into_raw().cast(),
            Err(error) => end(&format!(
                "{name:?} is not in {}: the driver or the toolkit is older than this program ({error})",
                SO_NAMES[library_index]
            )),
        },
        // Kernels that register themselves before `main`: without the library nobody can launch them either.
        Err(_) if name.to_bytes().starts_with(b"__cuda") => unregistered as *mut c_void,
        Err(reason) => end(reason),
    };
    ADDRESSES[index].store(address, Ordering::Release);
    address
}
// ANCHOR_END: entry

extern "C" fn unregistered() -> *mut c_void {
    std::ptr::null_mut()
}

/// Whoever called through an entry point without [`load`] cannot be given an error.
fn end(reason: &str) -> ! {
    eprintln!("error: {reason}");
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named_with_its_origin_and_the_places() {
        let error = open("libcuda.so.0-none").map(|_| ()).unwrap_err();
        assert!(error.contains("libcuda.so.0-none is missing: it comes with NVIDIA's driver"), "{error}");
        assert!(error.contains("LD_LIBRARY_PATH") && error.contains("/usr/local/cuda/lib64"), "{error}");
    }

    #[test]
    fn packages_of_a_python_environment_are_found() {
        let root = std::env::temp_dir().join(format!("kernels-libraries-{}", std::process::id()));
        let folder = root.join("lib/python3.11/site-packages/nvidia/cu13/lib");
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(wheels(&root.clone().into()), [folder]);
        std::fs::remove_dir_all(root).unwrap();
    }
}
