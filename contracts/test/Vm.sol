// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What forge's machine offers to tests, as far as ours use it.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct SignedDelegation {
        uint8 v;
        bytes32 r;
        bytes32 s;
        uint64 nonce;
        address implementation;
    }

    // Keys.
    function addr(uint256 key) external pure returns (address account);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function signP256(uint256 key, bytes32 digest) external pure returns (bytes32 r, bytes32 s);
    function publicKeyP256(uint256 key) external pure returns (uint256 x, uint256 y);
    function signAndAttachDelegation(address implementation, uint256 key) external returns (SignedDelegation memory);

    // The world.
    function warp(uint256 time) external;
    function roll(uint256 number) external;
    function setBlockhash(uint256 number, bytes32 hash) external;
    function chainId(uint256 id) external;
    function setNonce(address account, uint64 nonce) external;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function load(address account, bytes32 slot) external view returns (bytes32 value);
    function store(address account, bytes32 slot, bytes32 value) external;
    function prank(address sender) external;
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool done);

    // Expectations.
    function assertEq(uint256 left, uint256 right, string calldata words) external pure;
    function assertEq(address left, address right, string calldata words) external pure;
    function assertEq(bytes32 left, bytes32 right, string calldata words) external pure;
    function assertEq(bytes calldata left, bytes calldata right, string calldata words) external pure;
    function assertTrue(bool value, string calldata words) external pure;
    function assertFalse(bool value, string calldata words) external pure;
    function assertLe(uint256 left, uint256 right, string calldata words) external pure;
    function assertGe(uint256 left, uint256 right, string calldata words) external pure;
    function expectRevert(bytes calldata words) external;
    function expectRevert() external;
    function expectPartialRevert(bytes4 selector) external;
    function expectEmit(address emitter) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory logs);
    function assume(bool condition) external pure;

    // Measures.
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gas);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;

    // What lies on the disk.
    function envOr(string calldata name, string calldata value) external view returns (string memory found);
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);
    function toString(uint256 value) external pure returns (string memory text);
    function readFile(string calldata path) external view returns (string memory text);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory text);
    function parseBytes(string calldata text) external pure returns (bytes memory value);
    function parseBytes32(string calldata text) external pure returns (bytes32 value);
}
