// Package lab simulates two oVirt engines over one simulated world: hosts, networks, arrays with exports, replication
// between them, storage domains, virtual machines. It answers on the wire as an engine does (XML, SSO, fault documents,
// intermediate states, locks, durations) and refuses what an engine refuses, so that a client that works against it has
// met the engine's unkind sides before. It shares no code with the client: both would otherwise be wrong together.
//
// One mutex guards the world. It is never held while waiting: an operation that takes time is put on a queue ordered by
// time, and whoever touches the world next first carries out all that has become due. So an operation goes on when its
// client has gone away, as on a real engine, and the lab needs no goroutine of its own: on a virtual clock one seed gives
// one trace.
//
// Sources of behaviour are named beside the code by the class of ovirt-engine (or vdsm) that shows it.
package lab
