//! Values that are messages.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;

use prost::Message;

use super::{Kv, KvErr};
use crate::error::{CallError, Error};

/// Attempts of [`Typed::update`].
pub const UPDATE_ATTEMPTS_MAX: u32 = 8;

/// Client of a store whose values are messages of type `T`.
pub struct Typed<T> {
    kv: Kv,
    value: PhantomData<fn() -> T>,
}

impl Kv {
    /// Returns a client of the same store whose values are messages of type `T`.
    pub fn typed<T: Message + Default>(&self) -> Typed<T> {
        Typed::new(self.clone())
    }
}

impl<T: Message + Default> Typed<T> {
    fn new(kv: Kv) -> Self {
        Typed {
            kv,
            value: PhantomData,
        }
    }

    /// Returns the value of a key with its revision; `None` without an entry.
    ///
    /// # Errors
    ///
    /// The error of the call, or an error if the value is no message of this type.
    pub async fn get(&self, key: impl Into<String>) -> Result<Option<(T, u64)>, Error> {
        let key = key.into();
        let Some(entry) = self.kv.get(&*key).await?.entry else {
            return Ok(None);
        };
        let value = T::decode(&*entry.value)
            .map_err(|error| Error::new(format!("cannot decode the value of {key:?}: {error}")))?;
        Ok(Some((value, entry.revision)))
    }

    /// Creates or replaces the value of a key, and returns the new revision.
    ///
    /// # Errors
    ///
    /// The error of the call.
    pub async fn set(&self, key: impl Into<String>, value: &T) -> Result<u64, CallError<KvErr>> {
        let set = self.kv.set(key, value.encode_to_vec()).await?;
        Ok(set.revision)
    }

    /// Changes the value of a key, and returns the new value. Without an entry, `change` gets the
    /// default value.
    ///
    /// The value is read, changed, and written if no other guest has written it meanwhile.
    /// Otherwise all of this is repeated, at most [`UPDATE_ATTEMPTS_MAX`] times. The new entry does
    /// not expire.
    ///
    /// # Errors
    ///
    /// [`KvErr::RevisionMismatch`] if other guests have changed the value before each attempt; the
    /// error of another call; or an error if the value is no message of this type. A write whose
    /// fate is unknown is not repeated: it may have changed the value.
    pub async fn update(
        &self,
        key: impl Into<String>,
        mut change: impl FnMut(&mut T),
    ) -> Result<T, Error> {
        let key = key.into();
        let mut attempt = 1;
        loop {
            let (mut value, revision) = self.get(&*key).await?.unwrap_or_default();
            change(&mut value);
            let set = self.kv.set(&*key, value.encode_to_vec());
            match set.if_revision(revision).await {
                Ok(_) => return Ok(value),
                Err(CallError::Service(KvErr::RevisionMismatch, _))
                    if attempt < UPDATE_ATTEMPTS_MAX =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}
