//! An instruction to ids, with the model's own template around it and its own tokenizer.

use std::path::Path;

use tokenizers::Tokenizer;

use super::{OpenError, description::Template};

/// The template and the tokenizer.
#[derive(Debug)]
pub(super) struct Prompt {
    tokenizer: Tokenizer,
    template: Template,
    /// The text of the picture's token.
    image_token: String,
    longest: usize,
}

impl Prompt {
    pub(super) fn read(file: &Path, template: Template, longest: usize) -> Result<Self, OpenError> {
        let wrong = |what: String| OpenError::File { file: file.to_path_buf(), what };
        let tokenizer = Tokenizer::from_file(file).map_err(|error| wrong(error.to_string()))?;
        let image_token = match u32::try_from(template.image_token) {
            Ok(id) => tokenizer
                .id_to_token(id)
                .ok_or_else(|| wrong(format!("it has no token {id}, the picture's")))?,
            Err(_) => String::new(),
        };
        Ok(Self { tokenizer, template, image_token, longest })
    }

    /// The ids of the whole prompt, and where among them the `tokens` of the picture begin.
    pub(super) fn ids(&self, said: &str, tokens: usize) -> Result<(Vec<u32>, usize), String> {
        let Template { before, behind, after, image_token, .. } = &self.template;
        let image = self.image_token.repeat(tokens);
        let text = format!("{before}{image}{behind}{said}{after}");
        let ids = self.tokenizer.encode(text, true).map_err(|error| error.to_string())?;
        let ids = ids.get_ids().to_vec();
        let is_image = |id: &u32| i64::from(*id) == *image_token;
        let first = ids.iter().position(is_image).unwrap_or_default();
        let run = ids[first..].iter().take_while(|id| is_image(id)).count();
        if run != tokens || ids.iter().filter(|id| is_image(id)).count() != tokens {
            return Err(format!("the tokenizer made {run} tokens of the picture's {tokens}"));
        }
        Ok((ids, first))
    }

    /// Without spaces too many. What could be taken for the template's own words is refused.
    pub(super) fn plain(&self, instruction: &str) -> Result<String, String> {
        let text = instruction.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = text.chars().count();
        if text.is_empty() {
            return Err("the instruction is empty".to_owned());
        }
        if length > self.longest {
            return Err(format!(
                "the instruction has {length} letters, more than {}",
                self.longest
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("the instruction has a control character in it".to_owned());
        }
        if let Some(token) = self.template.refused.iter().find(|token| text.contains(*token)) {
            let why = "which is a word of the model's template";
            return Err(format!("the instruction has {token:?} in it, {why}"));
        }
        Ok(text)
    }
}
