// Package interop lets foreign clients judge the lab: the official Python SDK with cases of ours and with its own published examples,
// the disaster_recovery role of the official ansible collection, go-ovirt with its own connection, and the documents recorded of a real
// engine. None of the clients is part of this repository: setup.sh fetches SDK and collection from PyPI, pinned by version and digest,
// into a cache folder outside of it. The tests have the build tag interop; `make interop` runs them and prints what was counted.
package interop
