//! CUDA C++ to machine code while the program runs, by NVRTC, and a cache of the results on the disk.
//!
//! Compiling all kernels takes seconds, so the machine code is kept: in `llm-from-scratch/kernels` under `$XDG_CACHE_HOME`, or `~/.cache`. A file's name is a
//! hash of all that decides its content: source, constants, architecture, and the compiler's version. Deleting the folder costs nothing
//! but the time; a disk that cannot be written costs the cache alone.

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};

use candle_core::cuda_backend::cudarc::nvrtc::{result, sys};
use candle_core::{Error, Result, bail};
use xxhash_rust::xxh3::xxh3_128;

use super::machine::Module;
use super::sources::{HEADERS, definitions, text};

// ANCHOR: job
/// A module to be compiled for an architecture.
pub(super) struct Job {
    module: Module,
    target: Target,
    options: Vec<String>,
}

impl Job {
    /// For compute capability `major`.`minor`.
    ///
    /// # Errors
    /// If NVRTC knows no architecture that such a device runs.
    pub(super) fn new(module: Module, (major, minor): (i32, i32)) -> Result<Self> {
        let target = Target::for_capability(major * 10 + minor)?;
        let options = [target.option(), "--std=c++17".to_string()].into_iter().chain(definitions(module)).collect();
        Ok(Self { module, target, options })
    }

    /// Machine code, from the cache or by NVRTC.
    ///
    /// # Errors
    /// If the source does not compile: the message is the compiler's.
    pub(super) fn code(&self, cache: Option<&Path>) -> Result<Vec<u8>> {
        let path = cache.map(|folder| Ok::<_, Error>(folder.join(self.file_name()?))).transpose()?;
        if let Some(code) = path.as_ref().and_then(|path| std::fs::read(path).ok()) {
            return Ok(code);
        }
        let code = Program::new(self.module)?.compile(&self.options, self.target)?;
        if let Some(path) = path {
            keep(&path, &code);
        }
        Ok(code)
    }

    /// Throws away what the cache has of it: the driver refused that.
    pub(super) fn forget(&self, cache: Option<&Path>) {
        if let (Some(folder), Ok(name)) = (cache, self.file_name()) {
            let _ = std::fs::remove_file(folder.join(name));
        }
    }

    /// Its name in the cache.
    fn file_name(&self) -> Result<String> {
        let mut all = format!("{:?} {:?}", compiler_version()?, self.options);
        all.push_str(text(self.module)?);
        HEADERS.iter().for_each(|(_, header)| all.push_str(header));
        Ok(format!("{}-{:032x}.bin", self.module.source, xxh3_128(all.as_bytes())))
    }
}
// ANCHOR_END: job

/// Where machine code is kept, if the user has a home.
pub fn cache_folder() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(caches.join("llm-from-scratch").join("kernels"))
}

/// Writes a file of the cache, whole or not at all. What fails is not told: the next run compiles again.
fn keep(path: &Path, code: &[u8]) {
    let Some(folder) = path.parent() else { return };
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&unfinished, code))
        .and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = std::fs::remove_file(unfinished);
    }
}

/// What NVRTC is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Machine code of the device's own architecture.
    Machine(i32),
    /// The newest code that NVRTC knows, for a device that is newer: the driver translates it.
    Virtual(i32),
}

impl Target {
    fn for_capability(capability: i32) -> Result<Self> {
        let known = supported()?;
        if known.contains(&capability) {
            return Ok(Self::Machine(capability));
        }
        match known.iter().filter(|&&known| known <= capability).max() {
            Some(&newest) => Ok(Self::Virtual(newest)),
            None => bail!(
                "this NVRTC compiles for compute capabilities {known:?}, not for {capability}: the GPU is too old for this CUDA"
            ),
        }
    }

    fn option(self) -> String {
        match self {
            Self::Machine(capability) => format!("--gpu-architecture=sm_{capability}"),
            Self::Virtual(capability) => format!("--gpu-architecture=compute_{capability}"),
        }
    }
}

/// The compute capabilities that NVRTC knows, times ten.
fn supported() -> Result<Vec<i32>> {
    let mut n = 0;
    // SAFETY: writes one number.
    unsafe { sys::nvrtcGetNumSupportedArchs(&mut n) }.result().map_err(Error::wrap)?;
    let mut known = vec![0; usize::try_from(n).unwrap_or(0)];
    // SAFETY: writes as many numbers as it has just said.
    unsafe { sys::nvrtcGetSupportedArchs(known.as_mut_ptr()) }.result().map_err(Error::wrap)?;
    Ok(known)
}

fn compiler_version() -> Result<(i32, i32)> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two numbers.
    unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result().map_err(Error::wrap)?;
    Ok((major, minor))
}

/// A source in NVRTC's hands.
struct Program {
    handle: sys::nvrtcProgram,
    source: &'static str,
}

impl Program {
    fn new(module: Module) -> Result<Self> {
        let source = CString::new(text(module)?).map_err(Error::wrap)?;
        let name = CString::new(format!("{}.cu", module.source)).map_err(Error::wrap)?;
        let headers = strings(HEADERS.map(|(_, header)| header))?;
        let names = strings(HEADERS.map(|(name, _)| name))?;
        let (header_pointers, name_pointers) = (pointers(&headers), pointers(&names));
        let mut handle = std::ptr::null_mut();
        // SAFETY: all texts end with a zero and outlive the call, which copies them.
        unsafe {
            sys::nvrtcCreateProgram(
                &mut handle,
                source.as_ptr(),
                name.as_ptr(),
                HEADERS.len() as i32,
                header_pointers.as_ptr(),
                name_pointers.as_ptr(),
            )
        }
        .result()
        .map_err(Error::wrap)?;
        Ok(Self { handle, source: module.source })
    }

    fn compile(&self, options: &[String], target: Target) -> Result<Vec<u8>> {
        // SAFETY: the program exists until it is dropped.
        if let Err(error) = unsafe { result::compile_program(self.handle, options) } {
            bail!("{}.cu does not compile with {options:?}: {error}\n{}", self.source, self.log());
        }
        let mut n_bytes = 0;
        // SAFETY: the program is compiled; the first call of each pair says how many bytes the second writes.
        unsafe {
            match target {
                Target::Machine(_) => {
                    sys::nvrtcGetCUBINSize(self.handle, &mut n_bytes).result().map_err(Error::wrap)?;
                    let mut code = vec![0_u8; n_bytes];
                    sys::nvrtcGetCUBIN(self.handle, code.as_mut_ptr().cast()).result().map_err(Error::wrap)?;
                    Ok(code)
                }
                Target::Virtual(_) => {
                    sys::nvrtcGetPTXSize(self.handle, &mut n_bytes).result().map_err(Error::wrap)?;
                    let mut code = vec![0_u8; n_bytes];
                    sys::nvrtcGetPTX(self.handle, code.as_mut_ptr().cast()).result().map_err(Error::wrap)?;
                    Ok(code)
                }
            }
        }
    }

    fn log(&self) -> String {
        // SAFETY: the program exists; its log ends with a zero.
        match unsafe { result::get_program_log(self.handle) } {
            Ok(log) => unsafe { CStr::from_ptr(log.as_ptr()) }.to_string_lossy().into_owned(),
            Err(error) => format!("(no log: {error})"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and nobody else has it.
        let _ = unsafe { result::destroy_program(self.handle) };
    }
}

fn strings<const N: usize>(texts: [&str; N]) -> Result<Vec<CString>> {
    texts.into_iter().map(|text| CString::new(text).map_err(Error::wrap)).collect()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).collect()
}

/// These need NVRTC and no GPU.
#[cfg(test)]
mod tests {
    use super::super::memory::Element;
    use super::*;

    const HOPPER: (i32, i32) = (9, 0);

    fn module(source: &'static str, element: Element, head_dim: Option<usize>) -> Module {
        Module { source, element, head_dim }
    }

    #[test]
    fn code_is_compiled_once_and_then_read() {
        let folder = std::env::temp_dir().join(format!("llm-kernels-{}", std::process::id()));
        let job = Job::new(module("cast", Element::Bf16, None), HOPPER).unwrap();
        let code = job.code(Some(&folder)).unwrap();
        assert!(code.starts_with(b"\x7fELF"), "machine code");
        let path = folder.join(job.file_name().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), code);
        std::fs::write(&path, b"other").unwrap();
        assert_eq!(job.code(Some(&folder)).unwrap(), b"other", "the cache is read");
        job.forget(Some(&folder));
        assert_eq!(job.code(Some(&folder)).unwrap(), code);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_error() {
        let job = Job::new(module("rope", Element::F32, None), HOPPER).unwrap();
        assert!(!job.code(Some(Path::new("/proc/nothing"))).unwrap().is_empty());
    }

    #[test]
    fn constants_and_architecture_make_another_file() {
        let name = |module, capability| Job::new(module, capability).unwrap().file_name().unwrap();
        let flash = |head_dim| module("flash_attention", Element::Bf16, Some(head_dim));
        let names = [name(flash(64), HOPPER), name(flash(128), HOPPER), name(flash(64), (8, 0))];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
    }

    #[test]
    fn what_nvrtc_does_not_know_is_asked_for_as_code_for_the_driver_or_refused() {
        assert_eq!(Target::for_capability(90).unwrap(), Target::Machine(90));
        assert!(matches!(Target::for_capability(999).unwrap(), Target::Virtual(newest) if newest >= 90));
        let error = Target::for_capability(20).unwrap_err().to_string();
        assert!(error.contains("too old"), "{error}");
    }
}
