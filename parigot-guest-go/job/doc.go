// Package job runs work that takes longer than a call. One call starts a job and returns its id;
// later calls poll the job with the id.
//
// A method must not take long, and its deadline ends a long call. [Jobs] holds the running jobs
// behind a method, and keeps their results for later calls. Ids have the service's own type, which
// `parigot boilerplateid` writes.
//
// A job belongs to no call. Its context has the values of the context that started the job, but not
// its deadline and not its end. A panic in a job ends the guest, as a panic in a handler does. When
// the guest ends, its jobs end, and a restarted service does not know their ids.
package job
