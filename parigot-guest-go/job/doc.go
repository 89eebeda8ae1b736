// Package job keeps work that takes longer than a call: one call starts it and returns an id, others ask with that id how far it is.
//
// A method must not take long, and a deadline ends those that do. [Jobs] keeps what goes on behind a method, and its results for those who ask for
// them later. Ids are of the service's own type, which `parigot boilerplateid` writes.
//
// Work belongs to no call: its context has the values of the one that it was started with, and neither its deadline nor its end. A panic ends the guest, as
// in a handler; then, and when the guest leaves, its jobs are gone, and the next life of a service does not know their ids.
package job
