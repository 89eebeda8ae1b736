//! End-to-end tests: the real command and real hosts on real guests. One binary, so that the host
//! is linked once.
//!
//! The tests of a binary run in parallel in one process. Tests that measure CPU time, memory or
//! latency are in `tests/measured`, where they run one after the other.

mod answers;
mod arguments;
mod backtraces;
mod bindings;
mod budgets;
mod cache;
mod call_ids;
mod calls;
mod check;
mod command;
mod compile_memory;
mod container;
mod debugging;
mod descriptors;
mod dynamic;
mod edge;
mod ending;
mod generate;
mod go;
mod gone;
mod graph;
mod helloworld;
mod hostile_files;
mod ids;
mod interleavings;
mod json;
mod languages;
mod limits;
mod mishaps;
mod modules;
mod nested;
mod network;
mod processes;
mod providers;
mod readme;
mod refused;
mod replicas;
mod restart;
mod secrets;
mod shop;
mod startup;
mod stdio;
mod streams;
mod test_host;
mod threads;
mod time;
mod unread_log;
mod workers;
