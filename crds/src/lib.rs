//! Custom resources of netdiag.dev/v1alpha1.
