//! The published schema and the loader accept the same and refuse the same.
