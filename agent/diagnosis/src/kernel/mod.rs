//! Facts about the kernel: its drop reasons and its functions, by name.

mod function;
mod reason;

pub use function::Function;
pub use reason::Reason;
