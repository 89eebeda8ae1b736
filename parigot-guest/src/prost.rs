//! The crate [prost](https://docs.rs/prost) for generated code, with faster functions for `bytes`.

// By name, because the glob does not re-export a name that is also imported here.
pub use ::prost::DecodeError;
pub use ::prost::*;

/// Decodes a message like [`Message::decode`], from contiguous bytes.
///
/// Faster than prost's own, because the position can stay in a register: the functions of this
/// module do not take its address out of line.
#[inline]
pub(crate) fn decode<M: Message + Default>(mut bytes: &[u8]) -> Result<M, DecodeError> {
    let mut message = M::default();
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        message.merge_field(
            tag,
            wire_type,
            &mut bytes,
            encoding::DecodeContext::default(),
        )?;
    }
    Ok(message)
}

/// Decodes the key of the next field. Keys of tags up to 15 are one byte.
#[inline]
fn decode_key(bytes: &mut &[u8]) -> Result<(u32, encoding::WireType), DecodeError> {
    match **bytes {
        [key @ 0x08..0x80, ref rest @ ..] => {
            *bytes = rest;
            Ok((
                u32::from(key >> 3),
                encoding::WireType::try_from(u64::from(key & 0x07))?,
            ))
        }
        _ => {
            let (key, rest) = decode_long_key(bytes)?;
            *bytes = rest;
            Ok(key)
        }
    }
}

#[inline(never)]
fn decode_long_key(mut bytes: &[u8]) -> Result<((u32, encoding::WireType), &[u8]), DecodeError> {
    Ok((encoding::decode_key(&mut bytes)?, bytes))
}

/// Functions that derived code calls for each field.
#[doc(hidden)]
pub mod encoding {
    use ::prost::DecodeError;
    use ::prost::bytes::Buf;
    pub use ::prost::encoding::*;

    /// Skips an unknown field.
    #[inline]
    pub fn skip_field(
        wire_type: WireType,
        tag: u32,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if buf.chunk().len() < buf.remaining() {
            return ::prost::encoding::skip_field(wire_type, tag, buf, ctx);
        }
        let bytes = skipped_bytes(wire_type, tag, buf.chunk(), ctx)?;
        buf.advance(bytes);
        Ok(())
    }

    #[cold]
    fn skipped_bytes(
        wire_type: WireType,
        tag: u32,
        bytes: &[u8],
        ctx: DecodeContext,
    ) -> Result<usize, DecodeError> {
        let mut rest = bytes;
        ::prost::encoding::skip_field(wire_type, tag, &mut rest, ctx)?;
        Ok(bytes.len() - rest.len())
    }

    /// Fields of type `bytes`.
    pub mod bytes {
        use alloc::vec::Vec;

        use ::prost::DecodeError;
        use ::prost::bytes::{Buf, BufMut};
        pub use ::prost::encoding::bytes::{encoded_len, encoded_len_repeated};
        use ::prost::encoding::{
            DecodeContext, MIN_TAG, WireType, check_wire_type, decode_varint, encode_key,
            encode_varint,
        };

        use super::skipped_bytes;

        /// Encodes a field.
        #[expect(clippy::ptr_arg, reason = "map fields take a pointer to this function")]
        pub fn encode(tag: u32, value: &Vec<u8>, buf: &mut impl BufMut) {
            encode_key(tag, WireType::LengthDelimited, buf);
            encode_varint(value.len() as u64, buf);
            put(value, buf);
        }

        /// Encodes a repeated field.
        pub fn encode_repeated(tag: u32, values: &[Vec<u8>], buf: &mut impl BufMut) {
            values.iter().for_each(|value| encode(tag, value, buf));
        }

        /// Appends bytes, up to 31 of them in pieces of constant size.
        ///
        /// A copy of variable size is a call out of wasm code, which costs as much as 20 pieces.
        #[inline]
        fn put(bytes: &[u8], buf: &mut impl BufMut) {
            if bytes.len() >= 32 {
                return buf.put_slice(bytes);
            }
            let rest = put_piece::<16>(bytes, buf);
            let rest = put_piece::<8>(rest, buf);
            let rest = put_piece::<4>(rest, buf);
            let rest = put_piece::<2>(rest, buf);
            put_piece::<1>(rest, buf);
        }

        /// Appends the first `N` bytes, if there are that many. Returns the rest.
        #[inline]
        fn put_piece<'a, const N: usize>(bytes: &'a [u8], buf: &mut impl BufMut) -> &'a [u8] {
            match bytes.split_first_chunk::<N>() {
                Some((piece, rest)) => {
                    buf.put_slice(piece);
                    rest
                }
                None => bytes,
            }
        }

        /// Decodes a field. prost's own function copies the bytes twice, once into a temporary
        /// buffer.
        #[inline]
        pub fn merge(
            wire_type: WireType,
            value: &mut Vec<u8>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            if buf.chunk().len() < buf.remaining() {
                return ::prost::encoding::bytes::merge(wire_type, value, buf, ctx);
            }
            check_wire_type(WireType::LengthDelimited, wire_type)?;
            let bytes = buf.chunk();
            let (field, field_end) = match *bytes {
                [length @ ..0x80, ref rest @ ..] if usize::from(length) <= rest.len() => {
                    (&rest[..usize::from(length)], 1 + usize::from(length))
                }
                _ => long_field(bytes)?,
            };
            *value = Vec::with_capacity(field.len());
            put(field, value);
            buf.advance(field_end);
            Ok(())
        }

        /// Returns a field whose length takes more than one byte or is invalid, and the field's
        /// end.
        #[inline(never)]
        fn long_field(bytes: &[u8]) -> Result<(&[u8], usize), DecodeError> {
            let end = skipped_bytes(
                WireType::LengthDelimited,
                MIN_TAG,
                bytes,
                DecodeContext::default(),
            )?;
            let mut field = &bytes[..end];
            decode_varint(&mut field)?;
            Ok((field, end))
        }

        /// Decodes one value of a repeated field.
        pub fn merge_repeated(
            wire_type: WireType,
            values: &mut Vec<Vec<u8>>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            let mut value = Vec::new();
            merge(wire_type, &mut value, buf, ctx)?;
            values.push(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Message;
    use super::bytes::Buf;

    /// Written like the generator's output.
    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "crate::prost")]
    struct Letter {
        #[prost(bytes = "vec", tag = "1")]
        text: Vec<u8>,
        #[prost(bytes = "vec", repeated, tag = "2")]
        copies: Vec<Vec<u8>>,
    }

    fn letter() -> Letter {
        Letter {
            text: b"a text".into(),
            copies: [&b"one"[..], b"", b"three"].map(Vec::from).into(),
        }
    }

    #[test]
    fn a_message_is_decoded_from_one_piece_or_many() {
        let bytes = letter().encode_to_vec();
        assert_eq!(Letter::decode(&*bytes), Ok(letter()));
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(
                Letter::decode(first.chain(second)),
                Ok(letter()),
                "in pieces of {at} and more bytes"
            );
        }
    }

    #[test]
    fn fields_of_all_lengths_are_encoded_like_prosts() {
        let bytes: Vec<u8> = (0..70).collect();
        for text in (0..bytes.len()).map(|length| &bytes[..length]) {
            let letter = Letter {
                text: text.into(),
                copies: [text.into()].into(),
            };
            let mut expected = Vec::new();
            if !text.is_empty() {
                ::prost::encoding::bytes::encode(1, &letter.text, &mut expected);
            }
            ::prost::encoding::bytes::encode_repeated(2, &letter.copies, &mut expected);
            assert_eq!(letter.encode_to_vec(), expected);
            assert_eq!(Letter::decode(&*expected), Ok(letter));
        }
    }

    #[test]
    fn the_last_of_two_values_counts() {
        let twice = [
            letter().encode_to_vec(),
            Letter {
                text: b"other".into(),
                copies: Vec::new(),
            }
            .encode_to_vec(),
        ];
        assert_eq!(
            Letter::decode(&*twice.concat()),
            Ok(Letter {
                text: b"other".into(),
                ..letter()
            })
        );
    }

    #[test]
    fn invalid_fields_are_refused_like_prosts() {
        #[derive(Clone, PartialEq, Message)]
        #[prost(prost_path = "::prost")]
        struct Other {
            #[prost(bytes = "vec", tag = "1")]
            text: Vec<u8>,
        }
        let text = |error: super::DecodeError| alloc::format!("{error}").replace("Other", "Letter");
        for bad in [
            &[10, 4, 1, 2][..],
            &[10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            &[8, 1],
            &[10],
        ] {
            let expected = Other::decode(bad)
                .map_err(text)
                .expect_err("the field must be invalid");
            assert_eq!(
                Letter::decode(bad)
                    .map_err(text)
                    .expect_err("the field must be invalid"),
                expected
            );
        }
    }
}
