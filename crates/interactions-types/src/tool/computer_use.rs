//! The use of a computer through functions that the service defines.

use crate::wire::{object, open_enum};

object! {
    /// Lets the model use a computer that the client drives.
    ///
    /// Its actions come as ordinary function calls.
    pub struct ComputerUse as "type" = "computer_use" {
        required {}
        optional {
            /// What is being used.
            environment: ComputerEnvironment,
            /// Actions that the client does not offer.
            excluded_predefined_functions: Vec<String>,
            /// Whether the service looks for instructions hidden on the screen.
            enable_prompt_injection_detection: bool,
            /// Safety rules that do not apply.
            disabled_safety_policies: Vec<SafetyPolicy>,
        }
    }
}

open_enum! {
    /// What is being used.
    pub enum ComputerEnvironment {
        /// A web browser.
        Browser = "browser",
        /// A phone.
        Mobile = "mobile",
        /// A desktop computer.
        Desktop = "desktop",
    }
}

open_enum! {
    /// A rule that makes the model ask before it acts.
    pub enum SafetyPolicy {
        /// Payments and the like.
        FinancialTransactions = "financial_transactions",
        /// Changes of sensitive data.
        SensitiveDataModification = "sensitive_data_modification",
        /// Messages to others.
        CommunicationTool = "communication_tool",
        /// New accounts.
        AccountCreation = "account_creation",
        /// Changes of data.
        DataModification = "data_modification",
        /// Consent in the name of the user.
        UserConsentManagement = "user_consent_management",
        /// Contracts and terms.
        LegalTermsAndAgreements = "legal_terms_and_agreements",
    }
}
