//! The chart on real nodes: installed, used, upgraded and gone.

mod chart;
mod faults;
mod installed;
mod traces;
