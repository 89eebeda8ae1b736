//! The upload service: a client stream.

use std::cell::Cell;

use parigot_guest::{Context, Failure, Requests};
use stubs::upload::v1::{
    Chunk, CountRequest, CountResponse, StoreResponse, Upload, UploadErr, UploadServer,
};

/// Limit of a file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Counts files, in place of a real store.
#[derive(Default)]
struct Archive {
    files: Cell<u32>,
}

impl Upload for Archive {
    async fn store(
        &self,
        _: &Context,
        requests: &mut Requests<Chunk>,
    ) -> Result<StoreResponse, Failure<UploadErr>> {
        let mut stored = StoreResponse::default();
        // An upload that breaks off fails here: `None` means that the file is complete.
        while let Some(chunk) = requests.next().await? {
            stored.chunks += 1;
            stored.bytes += chunk.data.len() as u64;
            if stored.bytes > FILE_BYTES_MAX {
                return Err(UploadErr::TooLarge.into());
            }
        }
        self.files.set(self.files.get() + 1);
        Ok(stored)
    }

    async fn count(
        &self,
        _: &Context,
        _: CountRequest,
    ) -> Result<CountResponse, Failure<UploadErr>> {
        Ok(CountResponse {
            files: self.files.get(),
        })
    }
}

parigot_guest::service!(Archive, exports(UploadServer));

#[cfg(test)]
mod tests {
    use parigot_guest::CallError;
    use parigot_guest::testing::{GuestRun, PendingStream, TestCall, TestGuest};
    use stubs::upload::v1::upload;

    use super::*;

    /// Uploads chunks of these lengths, without the end.
    fn begin(run: &mut GuestRun, lengths: &[usize]) -> PendingStream<upload::Store> {
        let stream = run.open(TestCall::<upload::Store>::streaming());
        for length in lengths {
            let data = vec![0; *length];
            run.send(&stream, Chunk { data });
        }
        stream
    }

    fn files(run: &mut GuestRun) -> u32 {
        let count = run.call::<upload::Count>(CountRequest {});
        count.expect("the service must answer").files
    }

    #[test]
    fn a_complete_file_is_stored() {
        let mut run = TestGuest::new(GUEST).start();
        let stream = begin(&mut run, &[100, 50]);
        run.finish(&stream);
        let stored = run.wait(&stream).expect("the file must be stored");
        assert_eq!((stored.chunks, stored.bytes), (2, 150));
        assert_eq!(files(&mut run), 1);
    }

    #[test]
    fn an_upload_that_breaks_off_stores_nothing() {
        let mut run = TestGuest::new(GUEST).start();
        let stream = begin(&mut run, &[100, 50]);
        run.cancel(&stream);
        assert_eq!(files(&mut run), 0);
    }

    #[test]
    fn a_file_over_the_limit_is_refused_at_once() {
        let mut run = TestGuest::new(GUEST).start();
        let stream = begin(&mut run, &[1 << 20, 1]);
        let error = run.wait(&stream).expect_err("the file is too large");
        assert!(matches!(error, CallError::Service(UploadErr::TooLarge, _)));
    }
}
