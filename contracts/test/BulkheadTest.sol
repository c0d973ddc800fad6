// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @notice The base of every test: forge's machine, and contracts deployed from the committed bytes, so that what is
/// tested is what goes on a chain. A mutation run names another folder of artifacts.
abstract contract BulkheadTest {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotDeployed(string name);

    function codeOf(string memory name) internal view returns (bytes memory) {
        string memory folder = vm.envOr("BULKHEAD_ARTIFACTS", "contracts/artifacts");
        return vm.getCode(string.concat(folder, "/", name, ".json"));
    }

    function deploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        deployed = tryDeploy(name, arguments);
        require(deployed != address(0), NotDeployed(name));
    }

    /// @return deployed zero where the constructor refused
    function tryDeploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = bytes.concat(codeOf(name), arguments);
        assembly {
            deployed := create(0, add(code, 32), mload(code))
        }
    }

    function clamp(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        return max - min == type(uint256).max ? value : min + value % (max - min + 1);
    }

    /// @notice An address that nobody has a key or code for.
    function actor(string memory name) internal pure returns (address) {
        return address(uint160(uint256(keccak256(bytes(name)))));
    }
}
