//! Tests of the whole, on configurations of a few rules.
