//! A page of HTML that needs no other file: text, figures, tables, light or dark as the reader's system is.

use std::fmt::Write;

use anyhow::{Result, anyhow};

/// A page under construction.
#[derive(Debug, Default)]
pub struct Page {
    body: String,
    n_figures: usize,
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}\
    pre{overflow-x:auto;font-size:.8rem;background:#f4f4f4;padding:.8rem;border-radius:4px}\
    figure{margin:1rem 0}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}th,td{padding:.2rem .5rem;text-align:left;white-space:pre}\
    figcaption{font-size:.9rem;opacity:.8}svg{max-width:100%;height:auto}\
    @media(prefers-color-scheme:dark){body{color:#e4e4e4;background:#181a1d}pre{background:#24272b}}";

impl Page {
    /// A heading.
    pub fn heading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(text));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
    }

    /// Text with its own line breaks.
    pub fn preformatted(&mut self, text: &str) {
        let _ = writeln!(self.body, "<pre>{}</pre>", escape(text));
    }

    /// A figure and what it shows.
    ///
    /// # Errors
    /// If it could not be drawn.
    pub fn figure(&mut self, svg: Result<String, crate::figures::FigureError>, caption: &str) -> Result<()> {
        let svg = svg.map_err(|error| anyhow!("cannot draw a figure: {error}"))?;
        let _ = writeln!(self.body, "<figure>{svg}<figcaption>{}</figcaption></figure>", escape(caption));
        self.n_figures += 1;
        Ok(())
    }

    /// A table whose cells are shaded: 0 is the page's own colour, 1 the darkest.
    pub fn table(&mut self, head: &[String], rows: &[(String, Vec<(String, f32)>)]) {
        let cells =
            |cells: &[String]| cells.iter().map(|cell| format!("<th>{}</th>", escape(cell))).collect::<String>();
        let _ = writeln!(self.body, "<div class=\"wide\"><table><tr><th></th>{}</tr>", cells(head));
        for (name, cells) in rows {
            let cell = |(text, shade): &(String, f32)| {
                format!(
                    "<td style=\"background:rgba(0,114,178,{:.2})\">{}</td>",
                    0.6 * shade.clamp(0.0, 1.0),
                    escape(text)
                )
            };
            let cells: String = cells.iter().map(cell).collect();
            let _ = writeln!(self.body, "<tr><th>{}</th>{cells}</tr>", escape(name));
        }
        let _ = writeln!(self.body, "</table></div>");
    }

    /// How many figures it has.
    pub fn n_figures(&self) -> usize {
        self.n_figures
    }

    /// The whole page.
    pub fn finish(&self, title: &str) -> String {
        let title = escape(title);
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{}</body></html>\n",
            self.body
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
