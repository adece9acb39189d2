//! What the web book needs besides the files that mdBook writes: the font of its formulas, and the PDF to download.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The family whose OpenType MATH table browsers need to set MathML well. It comes with Typst's fonts.
const MATH_FONT: &str = "New Computer Modern Math";
/// Where `theme/book.css` looks for it.
const MATH_FONT_FILE: &str = "fonts/NewCMMath-Regular.otf";
const MATH_FONT_NOTICE: &str = "NewCMMath-Regular.otf is part of the New Computer Modern fonts by Antonis Tsolomitis,\n\
     https://ctan.org/pkg/newcomputermodern, distributed under the GUST Font License,\n\
     https://www.gust.org.pl/fonts/licenses/GUST-FONT-LICENSE.txt. The file is unchanged.\n";

/// Adds the math font and the PDF to the site in `folder`.
///
/// # Errors
/// A file that cannot be written.
pub fn finish(folder: &Path, pdf: &Path) -> Result<()> {
    let font = typst_kit::fonts::embedded()
        .find(|(_, info)| info.family == MATH_FONT && info.variant.weight.to_number() == 400)
        .map(|(font, _)| font)
        .with_context(|| format!("{MATH_FONT} is not among the embedded fonts"))?;
    write(&folder.join(MATH_FONT_FILE), font.data())?;
    write(&folder.join(MATH_FONT_FILE).with_extension("txt"), MATH_FONT_NOTICE.as_bytes())?;
    let bytes = fs::read(pdf).with_context(|| format!("cannot read {}", pdf.display()))?;
    write(&folder.join(crate::PDF_NAME), &bytes)
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
