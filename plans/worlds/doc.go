// Package worlds reads the worlds that a lab starts from, written as Lua programs.
//
// A world file returns what lab.world made of one table. What that table can say is derived from the Go type lab.World: each JSON
// name is a key, durations and sizes are written as people write them, and a key that holds the id of another object (cluster_id)
// becomes the object's name (cluster = "Prod"). So a field that is added to lab.World can be written in a world file at once. Only
// three things are said here, in tables of a line each: what a field means when it is left out (defaults.go), which words a text
// can be, and to what a reference leads whose name does not tell (shape.go).
//
// A world is checked as a plan is: all findings at once, each with its place in the file.
package worlds
