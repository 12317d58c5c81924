/// A type that may be made of any bytes, and whose bytes may all be read.
///
/// # Safety
/// The type is `repr(C)`, holds integers only and has no padding.
#[expect(
    unsafe_code,
    reason = "a promise that the compiler cannot check of every type"
)]
pub unsafe trait Plain: Copy + 'static {}

/// Makes the promise of [`Plain`] for a probe's types.
macro_rules! plain {
    ($($name:ident),+) => {
        $(
            #[expect(unsafe_code, reason = "the promise of Plain")]
            // SAFETY: the type is `repr(C)`, holds integers only and has no padding.
            unsafe impl crate::Plain for $name {}
        )+
    };
}

pub(crate) use plain;
