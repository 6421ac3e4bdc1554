//! The answer of a run: whether it may be shown, and showing it.

use super::super::nesting::DEEPEST;
use super::super::structured::Repair;
use super::{Run, Stop, unhurried};
use crate::model::{ModelError, ModelEvent};

impl Run<'_> {
    /// Checks an answer that would complete the run, and shows it if it fits.
    /// If not, the model is to be asked once more.
    pub(super) async fn answer_fits(&mut self) -> Result<bool, Stop> {
        if let Some(schema) = &self.plan.schema {
            let so_far = self.journal.steps();
            let made = so_far.len();
            let checking = schema.check(self.held.output_text(so_far));
            let checked = unhurried(&mut self.journal, &self.control, checking).await?;
            if let Err(violations) = checked {
                if self.repair.is_some() {
                    return Err(ModelError::from(violations).into());
                }
                tracing::info!(id = %self.interaction.id, "the answer does not fit its schema");
                let answer = self.held.output_text(Vec::new());
                self.repair = Some(Repair::of(made, &answer, &violations));
                self.held.take();
                return Ok(false);
            }
        }
        self.show_held();
        self.check_depth()?;
        Ok(true)
    }

    /// Writes down what was held back.
    pub(super) fn show_held(&mut self) {
        for event in self.held.take() {
            match event {
                ModelEvent::Start(step) => {
                    let _ = self.journal.stop();
                    self.journal.start(step);
                }
                ModelEvent::Delta(delta) => self.journal.delta(delta),
                _ => {
                    let _ = self.journal.stop();
                }
            }
        }
        let _ = self.journal.stop();
    }

    /// Fails when something was left out because nobody could read it back.
    pub(super) fn check_depth(&self) -> Result<(), ModelError> {
        if self.journal.is_too_deep() {
            let why = format!("the model's answer is nested more than {DEEPEST} levels deep");
            return Err(ModelError::permanent("api_error", why));
        }
        Ok(())
    }
}
