//! Calls of a test that stream.

use parigot_abi::frame::NO_DEADLINE;
use parigot_abi::{Header, Kind};
use parigot_guest::prost::Message;
use parigot_guest::testing::CallStream;
use parigot_guest::{CallError, Method};

use super::caller::{NO_CALL, PendingStream};
use super::run::TestRun;

/// Calls of methods that stream. The test reads and writes as slowly as it likes: the service is at
/// most four items ahead.
impl TestRun {
    /// Starts a call of a method whose responses stream.
    ///
    /// ```no_run
    /// # use parigot_host::testing::TestRun;
    /// # fn test<Watch: parigot_guest::Method>(mut run: TestRun, request: Watch::Request) {
    /// let stream = run.open::<Watch>(request);
    /// while let Ok(Some(response)) = run.next(&stream) {
    ///     // …
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If no guest exports the method, or if other sides stream.
    pub fn open<M: Method>(&mut self, request: M::Request) -> PendingStream<M> {
        self.open_stream(&request.encode_to_vec(), false)
    }

    /// Starts a call of a method whose requests stream. Its responses may stream, too.
    ///
    /// # Panics
    ///
    /// If no guest exports the method, or if requests do not stream.
    pub fn open_requests<M: Method>(&mut self) -> PendingStream<M> {
        self.open_stream(&[], true)
    }

    fn open_stream<M: Method>(&mut self, request: &[u8], has_requests: bool) -> PendingStream<M> {
        let info = M::info();
        assert!(
            info.streams() && info.streams_requests() == has_requests,
            "{} does not stream like that",
            info.name()
        );
        let call = self.begin_encoded::<M>(request, NO_DEADLINE);
        self.streams
            .lock()
            .insert(call.number, CallStream::new(has_requests));
        PendingStream::new(call, &self.streams)
    }

    /// Sends a request when guests run next, as soon as the service has room for it.
    ///
    /// # Panics
    ///
    /// If the requests of the method do not stream, or have been finished.
    pub fn send<M: Method>(&mut self, stream: &PendingStream<M>, request: M::Request) {
        stream.with(|stream| stream.push(request.encode_to_vec()));
        self.send_due();
    }

    /// Ends the requests when guests run next.
    pub fn finish<M: Method>(&mut self, stream: &PendingStream<M>) {
        stream.with(CallStream::finish);
        self.send_due();
    }

    /// Advances the clock until the next response, and takes the response; `None` if the call has
    /// ended with success.
    ///
    /// # Errors
    ///
    /// The service's error, or the status of a call that failed.
    ///
    /// # Panics
    ///
    /// If neither comes within an hour on the host's clock.
    pub fn next<M: Method>(
        &mut self,
        stream: &PendingStream<M>,
    ) -> Result<Option<M::Response>, CallError<M::Error>> {
        let event = format!("next response of {stream:?}");
        self.wait_until(&event, |_| stream.waiting() > 0 || stream.has_ended());
        let Some(response) = stream.with(CallStream::take) else {
            let outcome = stream.outcome();
            return outcome.expect("the call has ended").map(|_| None);
        };
        self.send_due();
        let response = M::Response::decode(&*response);
        Ok(Some(response.expect("a response must be decodable")))
    }

    /// Cancels a call that has not ended. The service is notified when guests run next.
    pub fn cancel_stream<M: Method>(&mut self, stream: PendingStream<M>) {
        self.cancel(stream.call);
    }

    /// Gives the test's guest a turn, in which it sends the frames that are due.
    fn send_due(&mut self) {
        let header = Header {
            number: NO_CALL,
            ..Header::new(Kind::Cancel)
        };
        self.send_to_test_guest(header, &[]);
    }
}
