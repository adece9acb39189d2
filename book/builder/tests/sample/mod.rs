//! A small repository in a temporary folder: two parts of a book, one chapter's code, one snapshot, one figure.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use tempfile::TempDir;

const BOOK_TOML: &str = "[book]\ntitle = \"Sample\"\ndescription = \"A subtitle\"\nlanguage = \"en\"\n\n\
     [output.html]\nno-section-label = true\n\n[output.html.playground]\nrunnable = false\n";

const SUMMARY: &str = "# Summary\n\n[Introduction](introduction.md)\n\n# The model\n\n\
     - [5 Attention](05-attention.md)\n\n---\n\n[Glossary](glossary.md)\n";

const SOURCE: &str = "\
//! Causal attention.

// ANCHOR: mask
/// Hides later positions.
// ANCHOR: inner
pub fn causal_mask(seq_len: usize) -> Vec<f32> {
    vec![0.0; seq_len * seq_len]
}
// ANCHOR_END: inner
// ANCHOR_END: mask
";

const SNAPSHOT: &str = "---\nsource: tests/tours.rs\nexpression: out\n---\n== weights ==\nquery  key 0\n    0  1.000\n";

const FIGURE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"60\" height=\"30\" viewBox=\"0 0 60 30\">\n\n\
     <clipPath id=\"frame\"><rect width=\"60\" height=\"30\"/></clipPath>\n\
     <text x=\"5\" y=\"20\" font-family=\"sans-serif\" fill=\"currentColor\">loss</text>\n</svg>\n";

const CHAPTER: &str = "\
# Attention

A score is $q_i \\cdot k_j$, see [the glossary](glossary.md#score) and a note.[^note]

[^note]: With *emphasis* and $x^2$.

## The mask

```rust
{{#include ../../chapters/05-attention/src/mask.rs:mask}}
```

- In a list:

  ```text
  {{#output 05-attention#weights}}
  ```

$$
\\operatorname{softmax}(x)_i = \\frac{e^{x_i}}{\\sum_j e^{x_j}}
$$

> [!WARNING]
> Never subtract the mask twice.

{{#figure loss \"The loss falls.\"}}

| name | value |
|------|------:|
| `a`  |   1.0 |

1. one
2. two ~~three~~

<details>
<summary>Hint</summary>

Open **me**.

</details>
";

const GLOSSARY: &str =
    "# Glossary\n\nScore\n: How much one position asks of another; see [the mask](05-attention.md#the-mask).\n";

/// Writes the sample repository, whose book builds.
pub fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("book/book.toml", BOOK_TOML),
        ("book/src/SUMMARY.md", SUMMARY),
        ("book/src/introduction.md", "# Introduction\n\nGo to [the mask](05-attention.md#the-mask).\n"),
        ("book/src/05-attention.md", CHAPTER),
        ("book/src/glossary.md", GLOSSARY),
        ("chapters/05-attention/src/mask.rs", SOURCE),
        ("tests/snapshots/tours__05-attention.snap", SNAPSHOT),
        ("tests/snapshots/figures/loss.svg", FIGURE),
    ];
    for (file, text) in files {
        write(folder.path(), file, text);
    }
    folder
}

/// Writes one file of a repository, and the folders above it.
pub fn write(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}
