//! The chart on real nodes: installed, used, upgraded and gone.

mod chart;
mod faults;
mod for_people;
mod gitops;
mod helm_test;
pub mod images;
mod installed;
mod traces;
