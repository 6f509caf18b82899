// Package interop lets foreign clients judge the lab: the official Python SDK with its own published examples, and the
// disaster_recovery role of the official ansible collection. Neither is part of this repository: setup.sh fetches both from PyPI,
// pinned, into a cache folder. The tests have the build tag interop; `make interop` runs them and prints what was counted.
package interop
