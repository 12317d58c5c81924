//! The chart on real nodes: installed, used, upgraded and gone.

mod chart;
mod debug;
pub mod faults;
mod for_people;
mod gitops;
mod helm_test;
pub mod images;
pub mod installed;
pub mod traces;
