// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What an epoch of one asset is about, apart from what the registry knows by itself. Bytes and meaning are those
/// of spec/reserves.md.
struct Header {
    /// CAIP-19, in ASCII.
    string asset;
    uint64 epoch;
    uint8 tier;
    uint8 bits;
    uint8 unitExponent;
    /// The pinned block of the asset's chain.
    uint64 blockNumber;
    bytes32 blockHash;
    uint64 ledgerPosition;
    /// Unix second.
    uint64 takenAt;
}

/// @notice Where an epoch stands: the registry, whose it is, and the context of the epoch before.
struct Place {
    uint64 chain;
    address registry;
    bytes32 custodian;
    bytes32 previous;
}

/// @notice The bytes of a header, and the context that is their hash.
library ReserveHeader {
    uint16 internal constant VERSION = 1;
    bytes private constant DOMAIN = "bulkhead/reserves";
    bytes1 private constant CONTEXT = 0x10;

    /// @param header with an asset of at most 255 bytes
    function encode(Header calldata header, Place memory place) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(
            DOMAIN,
            VERSION,
            header.tier,
            header.bits,
            place.chain,
            place.registry,
            place.custodian,
            header.epoch,
            header.unitExponent
        );
        bytes memory rest = abi.encodePacked(
            header.blockNumber, header.blockHash, header.ledgerPosition, header.takenAt, place.previous
        );
        return abi.encodePacked(head, rest, uint8(bytes(header.asset).length), header.asset);
    }

    function contextOf(bytes memory encoded) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(CONTEXT, encoded));
    }
}
