// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Side} from "./VaultTypes.sol";

// What is signed, as EIP-712 types. Every struct has the fields of its type in the same order. The last two are always a
// nonce, which has an effect once in its space, and a deadline: the unix second after which the signature is worthless.
// A type that several sides may sign begins with the side, so that a signature never counts for another one.

struct Withdrawal {
    address token;
    address to;
    uint256 amount;
    uint256 nonce;
    uint64 deadline;
}

struct Payment {
    address token;
    address to;
    uint256 amount;
}

struct WithdrawalBatch {
    Payment[] payments;
    uint256 nonce;
    uint64 deadline;
}

struct OneOff {
    address token;
    address to;
    uint256 amount;
    uint256 nonce;
    uint64 deadline;
}

struct Fee {
    address token;
    uint256 amount;
    uint256 nonce;
    uint64 deadline;
}

struct Invalidation {
    uint256 nonce;
    uint64 deadline;
}

struct DestinationAddition {
    address to;
    uint256 nonce;
    uint64 deadline;
}

struct DestinationRemoval {
    Side side;
    address to;
    uint256 nonce;
    uint64 deadline;
}

struct LimitRaise {
    address token;
    uint104 cap;
    bool unlisted;
    uint256 nonce;
    uint64 deadline;
}

struct LimitLowering {
    Side side;
    address token;
    uint104 cap;
    bool unlisted;
    uint256 nonce;
    uint64 deadline;
}

struct ExitDestinationChange {
    address to;
    uint256 nonce;
    uint64 deadline;
}

struct KeyRotation {
    Side side;
    /// Whose key is replaced: the client key or the exit key.
    Side role;
    bytes32 newKey;
    uint256 nonce;
    uint64 deadline;
}

struct Veto {
    Side side;
    /// The EIP-712 digest of the message that queued the change.
    bytes32 change;
    uint256 nonce;
    uint64 deadline;
}

struct Pause {
    Side side;
    uint256 nonce;
    uint64 deadline;
}

struct ExitRequest {
    uint256 nonce;
    uint64 deadline;
}

struct ExitCancellation {
    uint256 nonce;
    uint64 deadline;
}

/// @notice EIP-712 type hashes and struct hashes.
library VaultMessages {
    bytes32 internal constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant NAME = keccak256("Bulkhead Vault");
    bytes32 internal constant VERSION = keccak256("1");

    bytes32 internal constant WITHDRAWAL =
        keccak256("Withdrawal(address token,address to,uint256 amount,uint256 nonce,uint64 deadline)");
    bytes32 internal constant PAYMENT = keccak256("Payment(address token,address to,uint256 amount)");
    bytes32 internal constant WITHDRAWAL_BATCH = keccak256(
        "WithdrawalBatch(Payment[] payments,uint256 nonce,uint64 deadline)Payment(address token,address to,uint256 amount)"
    );
    bytes32 internal constant ONE_OFF =
        keccak256("OneOff(address token,address to,uint256 amount,uint256 nonce,uint64 deadline)");
    bytes32 internal constant FEE = keccak256("Fee(address token,uint256 amount,uint256 nonce,uint64 deadline)");
    bytes32 internal constant INVALIDATION = keccak256("Invalidation(uint256 nonce,uint64 deadline)");
    bytes32 internal constant DESTINATION_ADDITION =
        keccak256("DestinationAddition(address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant DESTINATION_REMOVAL =
        keccak256("DestinationRemoval(uint8 side,address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant LIMIT_RAISE =
        keccak256("LimitRaise(address token,uint104 cap,bool unlisted,uint256 nonce,uint64 deadline)");
    bytes32 internal constant LIMIT_LOWERING =
        keccak256("LimitLowering(uint8 side,address token,uint104 cap,bool unlisted,uint256 nonce,uint64 deadline)");
    bytes32 internal constant EXIT_DESTINATION_CHANGE =
        keccak256("ExitDestinationChange(address to,uint256 nonce,uint64 deadline)");
    bytes32 internal constant KEY_ROTATION =
        keccak256("KeyRotation(uint8 side,uint8 role,bytes32 newKey,uint256 nonce,uint64 deadline)");
    bytes32 internal constant VETO = keccak256("Veto(uint8 side,bytes32 change,uint256 nonce,uint64 deadline)");
    bytes32 internal constant PAUSE = keccak256("Pause(uint8 side,uint256 nonce,uint64 deadline)");
    bytes32 internal constant EXIT_REQUEST = keccak256("ExitRequest(uint256 nonce,uint64 deadline)");
    bytes32 internal constant EXIT_CANCELLATION = keccak256("ExitCancellation(uint256 nonce,uint64 deadline)");

    /// @notice What is signed. The domain is that of this vault on this chain, computed with each call: nothing that a
    /// fork could make stale.
    function digest(bytes32 structHash) internal view returns (bytes32 result) {
        (bytes32 domain, bytes32 name, bytes32 version) = (DOMAIN, NAME, VERSION);
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, domain)
            mstore(add(free, 32), name)
            mstore(add(free, 64), version)
            mstore(add(free, 96), chainid())
            mstore(add(free, 128), address())
            mstore(add(free, 2), keccak256(free, 160))
            mstore(add(free, 34), structHash)
            mstore8(free, 0x19)
            mstore8(add(free, 1), 0x01)
            result := keccak256(free, 66)
        }
    }

    // The ABI encoding of a struct of atomic fields is its EIP-712 encoding, so the struct itself is encoded. Where gas
    // counts the calldata is hashed as it stands: what has stray bits in it has another hash, which nobody signed.

    function hash(Withdrawal calldata message) internal pure returns (bytes32 result) {
        bytes32 typeHash = WITHDRAWAL;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 32), message, 160)
            result := keccak256(free, 192)
        }
    }

    function hash(WithdrawalBatch calldata message) internal pure returns (bytes32) {
        bytes32 payments = hash(message.payments);
        return keccak256(abi.encode(WITHDRAWAL_BATCH, payments, message.nonce, message.deadline));
    }

    /// @dev The fields of a payment; stray bits of an address are dropped.
    function read(Payment calldata payment) internal pure returns (address token, address to, uint256 amount) {
        assembly ("memory-safe") {
            token := shr(96, shl(96, calldataload(payment)))
            to := shr(96, shl(96, calldataload(add(payment, 32))))
            amount := calldataload(add(payment, 64))
        }
    }

    /// @dev A withdrawal begins with the fields of a payment.
    function read(Withdrawal calldata message) internal pure returns (address token, address to, uint256 amount) {
        Payment calldata payment;
        assembly ("memory-safe") {
            payment := message
        }
        return read(payment);
    }

    /// @dev keccak256 of the hashes of the payments, one after the other.
    function hash(Payment[] calldata payments) private pure returns (bytes32 result) {
        bytes32 typeHash = PAYMENT;
        assembly ("memory-safe") {
            let payment := mload(0x40)
            let hashes := add(payment, 128)
            let end := add(hashes, mul(payments.length, 32))
            let source := payments.offset
            mstore(payment, typeHash)
            for { let at := hashes } lt(at, end) { at := add(at, 32) } {
                calldatacopy(add(payment, 32), source, 96)
                mstore(at, keccak256(payment, 128))
                source := add(source, 96)
            }
            result := keccak256(hashes, sub(end, hashes))
        }
    }

    function hash(OneOff calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(ONE_OFF, message));
    }

    function hash(Fee calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(FEE, message));
    }

    function hash(Invalidation calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(INVALIDATION, message));
    }

    function hash(DestinationAddition calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(DESTINATION_ADDITION, message));
    }

    function hash(DestinationRemoval calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(DESTINATION_REMOVAL, message));
    }

    function hash(LimitRaise calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(LIMIT_RAISE, message));
    }

    function hash(LimitLowering calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(LIMIT_LOWERING, message));
    }

    function hash(ExitDestinationChange calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXIT_DESTINATION_CHANGE, message));
    }

    function hash(KeyRotation calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(KEY_ROTATION, message));
    }

    function hash(Veto calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(VETO, message));
    }

    function hash(Pause calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(PAUSE, message));
    }

    function hash(ExitRequest calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXIT_REQUEST, message));
    }

    function hash(ExitCancellation calldata message) internal pure returns (bytes32) {
        return keccak256(abi.encode(EXIT_CANCELLATION, message));
    }
}
