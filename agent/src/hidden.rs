//! What counts as hidden in a text from outside: the list that the diagnosis escapes by, for all the agent's texts.

pub(crate) use netdiag_diagnosis::is_hidden;
