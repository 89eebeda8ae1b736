//! Tests of the ABI's layouts, in one binary.

mod frames;
mod fuzz;
mod ids;
mod memory;
mod readers;
mod vectors;
