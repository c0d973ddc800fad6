// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What forge's machine offers to tests, as far as ours use it.
interface Vm {
    function assertEq(uint256 left, uint256 right, string calldata words) external pure;
    function prank(address sender) external;
    function expectRevert(bytes calldata words) external;
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);
}
