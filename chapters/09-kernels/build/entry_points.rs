//! An entry point of our own for every function of CUDA's libraries, so that the program starts where they are missing.
//!
//! candle links with `-lcuda -lcublas …`. A program so linked ends before `main` where one of them is absent, with a line of the system's loader.
//! A linker asks a library only for what nothing before it defines. So we define all of its functions: each is a jump through a table, whose entry
//! `src/cuda/libraries.rs` looks up at the first call. No library is needed then, and the linker (`--as-needed`, which rustc sets) names none.
//!
//! The names come from the libraries that stand in the toolkit. Without them, or elsewhere than on Linux on x86-64, nothing is generated, and linking stays
//! as candle has it.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{Dyn, ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSymbol};

/// What candle and cudarc link with. cuBLAS calls cuBLASLt, which must be there first.
const LIBRARIES: [&str; 6] = ["cuda", "nvrtc", "cudart", "curand", "cublasLt", "cublas"];

/// Where installers put a toolkit; `cudarc` reads the same variables.
const TOOLKIT_VARIABLES: [&str; 4] = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR"];
const TOOLKITS: [&str; 3] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda"];
const FOLDERS: [&str; 6] =
    ["lib64", "lib64/stubs", "lib", "lib/stubs", "targets/x86_64-linux/lib", "targets/x86_64-linux/lib/stubs"];

/// Writes `cuda_entry_points.rs` for `src/cuda/libraries.rs`.
#[allow(clippy::expect_used)] // Without cargo's folder there is nothing to build.
pub(super) fn generate() {
    for variable in TOOLKIT_VARIABLES {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let is_supported = env::var("TARGET").is_ok_and(|target| target.starts_with("x86_64") && target.contains("linux"));
    let libraries: Option<Vec<Library>> =
        if is_supported { LIBRARIES.iter().map(|name| Library::find(name)).collect() } else { None };
    let source = source(&libraries.unwrap_or_default());
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    fs::write(folder.join("cuda_entry_points.rs"), source).expect("cargo made the folder for this file");
}

struct Library {
    /// The name that the loader knows: `libcublas.so.13`.
    so_name: String,
    functions: Vec<String>,
}

impl Library {
    fn find(name: &str) -> Option<Self> {
        let file = folders().into_iter().map(|folder| folder.join(format!("lib{name}.so"))).find(|file| file.is_file());
        let Some(library) = file.as_deref().and_then(Self::read) else {
            println!("cargo:warning=lib{name}.so is not in a CUDA toolkit: the program will not start without it");
            return None;
        };
        Some(library)
    }

    fn read(file: &Path) -> Option<Self> {
        let bytes = fs::read(file).ok()?;
        let elf = ElfFile64::<Endianness>::parse(&*bytes).ok()?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut functions: Vec<String> = elf
            .dynamic_symbols()
            .filter(|symbol| symbol.is_definition() && symbol.kind() == object::SymbolKind::Text)
            .filter_map(|symbol| symbol.name().ok())
            .filter(|name| name.contains("cu") || name.starts_with("nvrtc"))
            .filter(|name| name.chars().all(is_name))
            .map(String::from)
            .collect();
        functions.sort_unstable();
        functions.dedup();
        let so_name = so_name(&elf, &bytes).or_else(|| Some(file.file_name()?.to_str()?.to_string()))?;
        Some(Self { so_name, functions })
    }
}

fn so_name(elf: &ElfFile64<'_>, bytes: &[u8]) -> Option<String> {
    let endian = elf.endian();
    let sections = elf.elf_header().sections(endian, bytes).ok()?;
    let (entries, strings) = sections.dynamic(endian, bytes).ok()??;
    let strings = sections.strings(endian, bytes, strings).ok()?;
    let entry = entries.iter().find(|entry| entry.tag(endian) == elf::DT_SONAME)?;
    Some(String::from_utf8_lossy(entry.string(endian, strings).ok()?).into_owned())
}

fn folders() -> Vec<PathBuf> {
    let toolkits = TOOLKIT_VARIABLES.iter().filter_map(env::var_os).map(PathBuf::from);
    let toolkits = toolkits.chain(TOOLKITS.iter().map(PathBuf::from));
    let mut folders: Vec<PathBuf> = toolkits.flat_map(|root| FOLDERS.map(|folder| root.join(folder))).collect();
    folders.push("/usr/lib/x86_64-linux-gnu".into());
    folders.extend(env::var_os("LIBRARY_PATH").iter().flat_map(env::split_paths));
    folders
}

/// The table of names, and an entry point for each in assembly.
fn source(libraries: &[Library]) -> String {
    let mut names = String::new();
    let mut assembly = String::new();
    let mut seen = std::collections::HashSet::new();
    let mut n_functions = 0;
    for (library, Library { functions, .. }) in libraries.iter().enumerate() {
        for function in functions.iter().filter(|function| seen.insert(function.as_str())) {
            let _ = writeln!(names, "    ({library}, c\"{function}\"),");
            let _ = writeln!(assembly, "    \"cuda_entry {function}, {n_functions}\",");
            n_functions += 1;
        }
    }
    let so_names: Vec<String> = libraries.iter().map(|library| format!("{:?}", library.so_name)).collect();
    let assembly = if n_functions == 0 { String::new() } else { format!("entry_points!(\n{assembly});\n") };
    format!(
        "const SO_NAMES: &[&str] = &[{}];\nconst FUNCTIONS: [(usize, &CStr); {n_functions}] = [\n{names}];\n{assembly}",
        so_names.join(", ")
    )
}
