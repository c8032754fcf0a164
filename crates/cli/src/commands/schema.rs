//! `partitur schema`.

use crate::exit::Exit;
use crate::failure::Failure;

/// Print the JSON Schema of documents, for editors
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schema > partitur.schema.json
  # first line of a document, for editors with a YAML language server:
  # yaml-language-server: $schema=partitur.schema.json")]
pub struct Schema {}

impl Schema {
    pub fn run(self) -> Result<Exit, Failure> {
        println!("{:#}", partitur_formats::schema());
        Ok(Exit::Success)
    }
}
